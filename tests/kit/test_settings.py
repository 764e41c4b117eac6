"""What an operator sets: in variables, or in files that variables name."""

from pathlib import Path

import pytest
from pydantic_settings import SettingsConfigDict

from kit.brokers import connection
from kit.errors import SetupError
from kit.settings import EXIT_CONFIGURATION, ServiceSettings, load_settings

URL = "postgresql://intake:secret@db.internal/intake"


class Settings(ServiceSettings):
    """Variables begin with ``LIBRARY_``."""

    model_config = SettingsConfigDict(env_prefix="LIBRARY_", extra="ignore")

    shelves_file: Path | None = None
    loans_a_day: dict[str, int] | None = None


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("LIBRARY_DATABASE_URL", URL)
    monkeypatch.setenv("LIBRARY_KAFKA_BOOTSTRAP", "kafka:9092")
    monkeypatch.setenv("LIBRARY_HTTP_PORT", "8000")
    return monkeypatch


def test_a_secret_may_lie_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(URL + "\n", encoding="utf-8")
    environment.delenv("LIBRARY_DATABASE_URL")
    environment.setenv("LIBRARY_DATABASE_URL_FILE", str(tmp_path / "url"))
    assert load_settings(Settings).database_url == URL


def test_a_setting_that_is_a_file_is_taken_as_it_is(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("LIBRARY_SHELVES_FILE", str(tmp_path / "shelves.yaml"))
    assert load_settings(Settings).shelves_file == tmp_path / "shelves.yaml"


def test_lists_and_mappings_are_json_in_files_too(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "roles").write_text('["worker"]\n', encoding="utf-8")
    (tmp_path / "loans").write_text('{"atlas": 2}\n', encoding="utf-8")
    environment.setenv("LIBRARY_ROLES_FILE", str(tmp_path / "roles"))
    environment.setenv("LIBRARY_LOANS_A_DAY_FILE", str(tmp_path / "loans"))
    settings = load_settings(Settings)
    assert settings.roles == {"worker"}
    assert settings.loans_a_day == {"atlas": 2}


def test_a_file_that_is_no_json_where_it_has_to_be_is_one_line(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "roles").write_text("worker\n", encoding="utf-8")
    environment.setenv("LIBRARY_ROLES_FILE", str(tmp_path / "roles"))
    _assert_refused(capsys, f"LIBRARY_ROLES_FILE: can't read {tmp_path}/roles (it is no JSON)")


def test_a_value_and_its_file_are_refused(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("LIBRARY_DATABASE_URL_FILE", str(tmp_path / "url"))
    _assert_refused(capsys, "LIBRARY_DATABASE_URL and LIBRARY_DATABASE_URL_FILE are both set")


def test_a_file_that_is_not_there_is_one_line(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("LIBRARY_DATABASE_URL")
    environment.setenv("LIBRARY_DATABASE_URL_FILE", str(tmp_path / "url"))
    _assert_refused(capsys, f"LIBRARY_DATABASE_URL_FILE: can't read {tmp_path}/url (No such file or directory)")


def test_what_a_file_holds_is_checked_and_not_shown(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "url").write_text("mysql://intake:secret@db", encoding="utf-8")
    environment.delenv("LIBRARY_DATABASE_URL")
    environment.setenv("LIBRARY_DATABASE_URL_FILE", str(tmp_path / "url"))
    said = _assert_refused(capsys, "LIBRARY_DATABASE_URL: value error, must begin with postgresql://")
    assert "secret" not in said


def test_a_login_travels_with_the_addresses(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LIBRARY_KAFKA_TLS", "true")
    environment.setenv("LIBRARY_KAFKA_USER", "library")
    environment.setenv("LIBRARY_KAFKA_PASSWORD", "secret")
    said = connection(load_settings(Settings).brokers)
    assert said["bootstrap_servers"] == "kafka:9092"
    assert said["security_protocol"] == "SASL_SSL"
    assert (said["sasl_mechanism"], said["sasl_plain_username"]) == ("SCRAM-SHA-512", "library")
    assert said["ssl_context"].check_hostname


def test_without_a_login_the_brokers_are_reached_in_plain(environment: pytest.MonkeyPatch) -> None:
    assert connection(load_settings(Settings).brokers)["security_protocol"] == "PLAINTEXT"


def test_half_a_login_says_what_is_missing(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LIBRARY_KAFKA_USER", "library")
    with pytest.raises(SetupError, match="LIBRARY_KAFKA_USER and LIBRARY_KAFKA_PASSWORD belong together"):
        _ = load_settings(Settings).brokers


def test_an_authority_that_is_not_there_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("LIBRARY_KAFKA_CA_FILE", str(tmp_path / "ca.crt"))
    with pytest.raises(SetupError, match=r"LIBRARY_KAFKA_CA_FILE: can't read certificates from .*ca\.crt \(No such"):
        _ = load_settings(Settings).brokers


def _assert_refused(capsys: pytest.CaptureFixture[str], line: str) -> str:
    with pytest.raises(SystemExit) as ended:
        load_settings(Settings)
    assert ended.value.code == EXIT_CONFIGURATION
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1
    return said
