"""What the fault proxy does to RTP between RTSP's answers; its other harms are seen in the cameras' tests."""

from tests.video.proxy import CLOCK, RtpShift

ANSWER = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 4\r\n\r\nv=0\n"


def packet(stamp: int, channel: int = 0) -> bytes:
    body = b"\x80\x60\x00\x01" + stamp.to_bytes(4, "big") + b"\x00\x00\x00\x07picture"
    return b"$" + bytes([channel]) + len(body).to_bytes(2, "big") + body


def test_only_the_timestamps_of_pictures_move() -> None:
    whole = ANSWER + packet(1000) + packet(1000, channel=1)
    assert RtpShift().feed(whole, 2.0) == ANSWER + packet(1000 + 2 * CLOCK) + packet(1000, channel=1)
    assert RtpShift().feed(whole, 0.0) == whole


def test_packets_that_come_in_pieces_are_put_together_and_wrap() -> None:
    rtp, whole = RtpShift(), ANSWER + packet(5) + packet(6)
    moved = b"".join(rtp.feed(bytes([byte]), -1.0) for byte in whole)
    assert moved == ANSWER + packet((5 - CLOCK) % 2**32) + packet((6 - CLOCK) % 2**32)
