import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.rules.alert import Alert, AlertType
from streamwatch.sinks.record import dump, load
from tests.sinks.stage import make_alert

text = st.text(max_size=20)
number = st.floats(allow_nan=False, allow_infinity=False)


@given(st.sampled_from(AlertType), text, st.none() | text, number, st.none() | number, st.dictionaries(text, text))
def test_any_alert_comes_back_equal(
    kind: AlertType, summary: str, zone: str | None, score: float, end: float | None, labels: dict[str, str]
) -> None:
    alert = dataclasses.replace(
        make_alert(), type=kind, summary=summary, zone=zone, score=score, end_time=end, labels=labels, shadow=True
    )
    assert load(dump(alert)) == alert


def test_another_versions_record_is_read_as_far_as_it_can_be() -> None:
    alert = make_alert()
    fields = json.loads(dump(alert))
    del fields["shadow"]
    assert load(json.dumps(fields | {"invented_later": 1})) == alert


GOOD = dump(make_alert())


@pytest.mark.parametrize(
    "record", ["", "[]", "{}", "nonsense", GOOD.replace('"new"', '"other"'), GOOD.replace("sha256", "md5")]
)
def test_anything_else_is_refused(record: str) -> None:
    with pytest.raises(ValueError):
        load(record)


def test_every_field_of_an_alert_is_recorded() -> None:
    assert set(json.loads(dump(make_alert()))) == {field.name for field in dataclasses.fields(Alert)}
