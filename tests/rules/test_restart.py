from streamwatch.rules.alert import AlertType, IncidentState
from streamwatch.rules.restart import ends
from tests.rules.play import T0, book, play


def test_ends_what_was_left_open() -> None:
    (new,) = play(book({}), [(0, 0.9)])
    (end,) = ends([new], T0 + 60)
    assert (end.id, end.seq, end.type, end.state) == (new.id, 1, AlertType.END, IncidentState.CLOSED)
    assert (end.time, end.end_time, end.annotations["end_reason"]) == (T0 + 60, T0, "restart")
    assert (end.summary, end.labels, end.why) == (new.summary, new.labels, None)


def test_withdraws_what_never_fired() -> None:
    (new,) = play(book({"early": True, "for": "5s"}), [(0, 0.9)])
    assert ends([new], T0)[0].state is IncidentState.WITHDRAWN


def test_never_goes_back_in_time() -> None:
    (new,) = play(book({}), [(0, 0.9)])
    assert ends([new], T0 - 3600)[0].time == T0
