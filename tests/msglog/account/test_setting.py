"""Settings: names and values by rule, and defaults."""

from pathlib import Path

import pytest

from msglog.account.database import Database
from msglog.account.setting import AUDIT_KEEP, AUDIT_SYSLOG, SettingError, change_setting, setting


def test_a_setting_has_a_default_and_is_changed(tmp_path: Path) -> None:
    tables = Database.create(tmp_path / "account.db", suffix="x")
    assert setting(tables, AUDIT_SYSLOG) == "off"
    for value in ("on", "off", "on"):
        change_setting(tables, "audit.syslog", value)
        assert setting(tables, AUDIT_SYSLOG) == value
    assert setting(tables, AUDIT_KEEP) == "1000000"
    for name, value in [
        ("audit.syslog", "on\n"),
        ("audit.syslog", "yes"),
        ("audit.keep", "99"),
        ("audit.keep", "-1000"),
        ("audit.keep", "٣٣٣"),
        ("audit", "on"),
    ]:
        with pytest.raises(SettingError):
            change_setting(tables, name, value)
    tables.close()
