import dataclasses
import threading

from streamwatch.rules.alert import AlertType, IncidentState
from streamwatch.sinks.states import OpenIncidents, RetainedStates, Topics
from tests.sinks.stage import make_alert


def drain(states: RetainedStates) -> list[tuple[str, str]]:
    found = []
    while (state := states.take()) is not None:
        found.append(state)
    return found


class TestTopics:
    def test_are_those_of_the_contract(self) -> None:
        topics = Topics("site/a")
        assert topics.available == "site/a/available"
        assert topics.alert("dock", "fall") == "site/a/alerts/dock/fall"
        assert topics.alert_state("dock", "fall") == "site/a/dock/alert/fall/state"
        assert topics.snapshot("dock", "fall") == "site/a/dock/alert/fall/snapshot"
        assert topics.status("dock") == "site/a/dock/status"
        assert topics.enabled("dock") == "site/a/dock/enabled/state"
        assert topics.commands == "site/a/+/enabled/set"
        assert topics.replay == "site/a/replay/request"
        assert topics.reload == "site/a/rules/reload"
        assert topics.applied == "site/a/rules/applied"
        assert topics.acks == "site/a/alerts/+/ack"
        assert topics.snooze == "site/a/rules/snooze"
        assert topics.snoozed == "site/a/rules/snoozed"
        assert topics.answer == "site/a/answer"
        assert topics.enabled_set("dock") == "site/a/dock/enabled/set"


class TestRetainedStates:
    def test_a_beginning_changes_nothing_that_is_there(self) -> None:
        states = RetainedStates()
        states.set("a", "ON")
        for topic in ("a", "b", "b"):
            states.begin(topic, "OFF")
        assert drain(states) == [("a", "ON"), ("b", "OFF")]
        states.begin("b", "OFF")
        assert drain(states) == []

    def test_each_change_is_said_once_in_the_order_of_change(self) -> None:
        states = RetainedStates()
        states.set("a", "1")
        states.set("b", "1")
        states.set("a", "1")
        assert drain(states) == [("a", "1"), ("b", "1")]
        states.set("b", "1")
        assert drain(states) == []

    def test_only_the_newest_is_said(self) -> None:
        states = RetainedStates()
        for number in range(1000):
            states.set("a", str(number))
        assert len(states) == 1
        assert drain(states) == [("a", "999")]

    def test_a_new_connection_hears_all_again(self) -> None:
        states = RetainedStates()
        states.set("a", "1")
        states.set("b", "2")
        drain(states)
        states.say_all_again()
        assert drain(states) == [("a", "1"), ("b", "2")]

    def test_what_was_not_confirmed_is_said_again_with_its_newest_payload(self) -> None:
        states = RetainedStates()
        states.set("a", "1")
        drain(states)
        states.set("a", "2")
        states.say_again(["a", "unknown"])
        assert drain(states) == [("a", "2")]

    def test_the_newest_wins_whichever_thread_sets_it(self) -> None:
        states = RetainedStates()

        def count(topic: str) -> None:
            for number in range(500):
                states.set(topic, str(number))

        threads = [threading.Thread(target=count, args=[topic]) for topic in "abcd"]
        for thread in threads:
            thread.start()
        seen: dict[str, str] = {}
        while any(thread.is_alive() for thread in threads):
            seen |= dict(drain(states))
        seen |= dict(drain(states))
        assert seen == dict.fromkeys("abcd", "499")


class TestOpenIncidents:
    def test_a_state_is_on_until_the_last_of_several_ends(self) -> None:
        incidents = OpenIncidents()
        assert incidents.observe(make_alert(1))
        assert incidents.observe(make_alert(2))
        assert incidents.observe(make_alert(1, AlertType.UPDATE))
        assert incidents.observe(make_alert(1, AlertType.END))
        assert not incidents.observe(make_alert(2, AlertType.END))
        assert not incidents.observe(make_alert(3, AlertType.END)), "an end without a beginning"

    def test_rules_and_cameras_are_apart(self) -> None:
        incidents = OpenIncidents()
        assert incidents.observe(make_alert(1))
        assert not incidents.observe(make_alert(1, AlertType.END, rule="fire"))
        assert not incidents.observe(make_alert(1, AlertType.END, camera="gate"))
        assert incidents.observe(make_alert(1, AlertType.UPDATE))

    def test_what_is_said_after_the_end_opens_nothing(self) -> None:
        incidents = OpenIncidents()
        end = make_alert(1, AlertType.END)
        assert incidents.observe(make_alert(1))
        assert not incidents.observe(end)
        assert not incidents.observe(dataclasses.replace(end, type=AlertType.UPDATE, clip="evidence/dock/1.mp4"))

    def test_what_may_be_withdrawn_switches_nothing_on(self) -> None:
        incidents = OpenIncidents()
        pending = dataclasses.replace(make_alert(1), state=IncidentState.PENDING)
        firing = dataclasses.replace(make_alert(1, AlertType.UPDATE), state=IncidentState.FIRING)
        assert not incidents.observe(pending)
        assert incidents.observe(firing)
        assert incidents.observe(dataclasses.replace(firing, state=IncidentState.ACKNOWLEDGED))
        assert not incidents.observe(make_alert(1, AlertType.END))
