from tests.kit.records import ALERT, HANDSHAKE, Record, records

ALERT_RECORD = bytes([ALERT, 3, 3, 0, 2, 2, 40])
HANDSHAKE_RECORD = bytes([HANDSHAKE, 3, 1, 0, 4]) + b"abcd"


def test_records_are_found_by_their_headers():
    assert list(records(HANDSHAKE_RECORD + ALERT_RECORD)) == [
        Record(HANDSHAKE_RECORD, complete=True),
        Record(ALERT_RECORD, complete=True),
    ]


def test_a_record_knows_its_type_and_body():
    (record,) = records(HANDSHAKE_RECORD)
    assert (record.type, record.body) == (HANDSHAKE, b"abcd")


def test_the_remainder_comes_last_and_is_incomplete():
    for length in range(1, len(HANDSHAKE_RECORD)):
        whole, rest = records(ALERT_RECORD + HANDSHAKE_RECORD[:length])
        assert whole.complete
        assert rest == Record(HANDSHAKE_RECORD[:length], complete=False)


def test_an_empty_record_is_a_record():
    empty = bytes([HANDSHAKE, 3, 3, 0, 0])
    assert [record.raw for record in records(empty + ALERT_RECORD)] == [empty, ALERT_RECORD]


def test_damage_leaves_the_header_and_changes_one_bit():
    (record,) = records(HANDSHAKE_RECORD)
    assert record.damaged() == HANDSHAKE_RECORD[:-1] + b"e"
