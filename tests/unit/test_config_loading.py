"""What a site may write in its configuration, and what it is told when that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import ConfigError, ConfigInvalid, ConfigUnreadable, Problem, Settings, load, locate
from config.settings import Dimse


def written(folder: Path, text: str) -> Path:
    file = folder / "dicomveil.toml"
    file.write_text(text)
    return file


_MOVING_TO = (
    '[[watch]]\npath = "/a"\nafter = "move"\nmoved_to = "{}"\n'
    '[[watch]]\npath = "/b"\nafter = "move"\n'
)


def problems(folder: Path, text: str, environ: dict[str, str] | None = None) -> dict[str, Problem]:
    with pytest.raises(ConfigInvalid) as caught:
        load(written(folder, text), environ or {})
    return {problem.key: problem for problem in caught.value.problems}


@pytest.fixture(autouse=True)
def _no_file_lies_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


def test_without_a_file_the_defaults_run() -> None:
    assert load(None, {}) == Settings()


def test_the_defaults_send_everything_to_the_default_preset() -> None:
    settings = load(None, {})
    assert settings.deidentifiers["default"].config == "default"
    assert [route.deidentifier for route in settings.routes] == ["default"]


def test_the_defaults_listen_on_loopback_only() -> None:
    settings = load(None, {})
    assert (settings.dimse.host, settings.http.host) == ("127.0.0.1", "127.0.0.1")


def test_a_file_needs_only_what_differs(tmp_path: Path) -> None:
    settings = load(written(tmp_path, '[dimse]\nae_title = "VEIL"\n'), {})
    assert settings.dimse == Dimse(ae_title="VEIL")


def test_settings_cannot_be_changed_later() -> None:
    settings = load(None, {})
    with pytest.raises(ValueError, match="frozen"):
        settings.dimse.port = 1


def test_the_file_of_the_command_line_goes_before_the_environments(tmp_path: Path) -> None:
    named = tmp_path / "a.toml"
    assert locate(named, {"DICOMVEIL_CONFIG": "/b.toml"}) == named
    assert locate(None, {"DICOMVEIL_CONFIG": "/b.toml"}) == Path("/b.toml")


def test_a_file_in_the_working_folder_is_found() -> None:
    Path("dicomveil.toml").write_text("[dimse]\nport = 5\n")
    assert load(None, {}).dimse.port == 5


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnreadable, match="cannot be read"):
        load(tmp_path / "missing.toml", {})


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(written(tmp_path, 'state_dir = "s"\n[[watch]]\npath = "../in"\n'), {})
    assert settings.state_dir == tmp_path / "s"
    assert settings.watch[0].path == tmp_path.parent / "in"


def test_a_single_glob_needs_no_brackets(tmp_path: Path) -> None:
    settings = load(
        written(tmp_path, '[[routes]]\ncalling_ae = "CT*"\nheader = { StationName = "A*" }\n'), {}
    )
    assert settings.routes[0].calling_ae == ("CT*",)
    assert settings.routes[0].header == {"StationName": ("A*",)}


def test_an_inline_table_is_a_configuration(tmp_path: Path) -> None:
    text = "[deidentifiers.default]\nconfig = { dicom = { skipIdRedaction = true } }\n"
    settings = load(written(tmp_path, text), {})
    assert settings.deidentifiers["default"].config == {"dicom": {"skipIdRedaction": True}}


class TestEnvironment:
    def test_variables_override_the_file(self, tmp_path: Path) -> None:
        file = written(tmp_path, "[dimse]\nport = 5\n")
        assert load(file, {"DICOMVEIL_DIMSE__PORT": "104"}).dimse.port == 104

    def test_the_state_folder_has_a_variable_of_one_part(self) -> None:
        assert load(None, {"DICOMVEIL_STATE_DIR": "/s"}).state_dir == Path("/s")

    def test_lists_and_booleans_are_written_as_in_toml(self) -> None:
        environ = {
            "DICOMVEIL_DIMSE__ALLOWED_CALLING_AE": '["CT1", "MR*"]',
            "DICOMVEIL_DIMSE__REQUIRE_CALLED_AE": "true",
            "DICOMVEIL_WATCH": '[{ path = "/in", settle_s = 1 }]',
        }
        settings = load(None, environ)
        assert settings.dimse.allowed_calling_ae == ("CT1", "MR*")
        assert settings.dimse.require_called_ae
        assert settings.watch[0].path == Path("/in")

    @pytest.mark.parametrize("text", ["1234", '"1234"', "true"])
    def test_text_settings_take_the_text_as_it_stands(self, text: str) -> None:
        settings = load(None, {"DICOMVEIL_DIMSE__AE_TITLE": text})
        assert settings.dimse.ae_title == text.strip('"')

    def test_a_line_end_does_not_smuggle_in_another_key(self) -> None:
        with pytest.raises(ConfigInvalid):
            load(None, {"DICOMVEIL_DIMSE__PORT": "1\nvalue2 = 2"})

    def test_an_unknown_variable_is_an_error_that_names_it(self) -> None:
        with pytest.raises(ConfigInvalid) as caught:
            load(None, {"DICOMVEIL_DIMSE__PROT": "104"})
        (problem,) = caught.value.problems
        assert problem.source == "DICOMVEIL_DIMSE__PROT"
        assert problem.nearest == "dimse.port"

    def test_a_variable_below_a_value_is_an_error(self) -> None:
        with pytest.raises(ConfigInvalid, match="DICOMVEIL_STATE_DIR__X"):
            load(None, {"DICOMVEIL_STATE_DIR": "/s", "DICOMVEIL_STATE_DIR__X": "1"})

    def test_other_variables_are_left_alone(self) -> None:
        assert load(None, {"PATH": "/bin", "DICOMVEILX": "1"}) == Settings()


class TestErrors:
    def test_every_error_is_reported_at_once(self, tmp_path: Path) -> None:
        text = """
            state_dir = 5
            [dimse]
            port = "x"
            ae_titel = "X"
            [http]
            host = "0.0.0.0"
            [deidentifiers.default]
            config = "basik"
            [[routes]]
            deidentifier = "default"
            calling_ae = 5
        """
        assert set(problems(tmp_path, text)) == {
            "state_dir",
            "dimse.port",
            "dimse.ae_titel",
            "http.host",
            "deidentifiers.default.config",
            "routes[0].calling_ae",
        }

    def test_an_error_names_file_key_type_and_what_is_expected(self, tmp_path: Path) -> None:
        problem = problems(tmp_path, '[dimse]\nport = "x"\n')["dimse.port"]
        assert problem.source == str(tmp_path / "dicomveil.toml")
        assert problem.found == "a string"
        assert problem.expected == "expected an integer from 0 to 65535"

    @pytest.mark.parametrize(
        ("text", "key", "nearest"),
        [
            ("[dimse]\nae_titel = 1", "dimse.ae_titel", "dimse.ae_title"),
            ("[dimze]\nport = 1", "dimze", "dimse"),
            ("port = 1", "port", "dimse.port or http.port or metrics.port"),
            ("[dimse]\ncors_origins = []", "dimse.cors_origins", "http.cors_origins"),
            ('[[watch]]\npath = "a"\nsetle_s = 1', "watch[0].setle_s", "watch[0].settle_s"),
            ('[log]\nlevel = "warn"', "log.level", '"warning"'),
            ('[deidentifiers.d]\nconfg = "x"', "deidentifiers.d.confg", "deidentifiers.d.config"),
            (
                '[[routes]]\nheader = { PatientNam = "x" }',
                "routes[0].header.PatientNam",
                "PatientName",
            ),
            ('[[routes]]\ndeidentifier = "defalt"', "routes[0].deidentifier", "default"),
        ],
    )
    def test_the_nearest_valid_key_or_choice_is_named(
        self, tmp_path: Path, text: str, key: str, nearest: str
    ) -> None:
        assert problems(tmp_path, text)[key].nearest == nearest

    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("[dimse]\nport = true", "dimse.port"),
            ('[pixels]\nmost_filled = { CT = "0.5" }', "pixels.most_filled"),
            ("[pixels]\nmost_filled = { CT = 5 }", "pixels.most_filled"),
            ("[dimse]\nport = 65536", "dimse.port"),
            ('[dimse]\nport = "104"', "dimse.port"),
            ("[dimse]\nidle_timeout_s = 0", "dimse.idle_timeout_s"),
            ("[dimse]\nidle_timeout_s = inf", "dimse.idle_timeout_s"),
            ('[dimse]\nae_title = "12345678901234567"', "dimse.ae_title"),
            ('[dimse]\nae_title = "A\\\\B"', "dimse.ae_title"),
            ('[dimse]\nae_title = "   "', "dimse.ae_title"),
            ('[dimse]\nallowed_networks = ["10.0.0.1/8"]', "dimse.allowed_networks"),
            ('[http]\npublic_root = "pacs.example"', "http.public_root"),
            ('[http]\npublic_root = "https://u:p@pacs.example"', "http.public_root"),
            ("dimse = 1", "dimse"),
            ("watch = 1", "watch"),
            ("[[watch]]\nsettle_s = 1", "watch[0].path"),
            ('[[watch]]\npath = ""\nafter = "destroy"', "watch[0].after"),
            ("[deidentifiers.default]\nconfig = 5", "deidentifiers.default.config"),
            ('[deidentifiers."A b"]\nconfig = "basic"', "deidentifiers.A b"),
            (
                "[deidentifiers.default]\nconfig = { a = 2020-01-01 }",
                "deidentifiers.default.config",
            ),
        ],
    )
    def test_values_of_the_wrong_kind_are_refused(
        self, tmp_path: Path, text: str, key: str
    ) -> None:
        assert key in problems(tmp_path, text)

    def test_a_table_of_numbers_is_asked_for_as_such(self, tmp_path: Path) -> None:
        for value in ('"0.5"', "5"):
            (problem,) = problems(tmp_path, f"[pixels]\nmost_filled = {{ CT = {value} }}").values()
            assert "numbers above 0 and at most 1" in str(problem)

    def test_no_value_is_repeated(self, tmp_path: Path) -> None:
        text = """
            [dimse]
            ae_title = "ZQXSECRET-that-is-too-long"
            port = "ZQXSECRET"
            [http]
            public_root = "https://ZQXSECRET@x/"
            [deidentifiers.default]
            config = { text = { cryptoKey = "ZQXSECRET", at = 2020-01-01 } }
            [[routes]]
            receiver = "ZQXSECRET"
        """
        with pytest.raises(ConfigError) as caught:
            load(written(tmp_path, text), {"DICOMVEIL_HTTP__PORT": "ZQXSECRET"})
        assert "ZQXSECRET" not in str(caught.value)
        assert "ZQXSECRET" not in repr(caught.value.problems)

    def test_a_toml_error_names_line_and_column(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigUnreadable, match="at line 2, column 8"):
            load(written(tmp_path, "[dimse]\nport = = 5\n"), {})

    def test_a_file_that_is_not_utf8_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "x.toml"
        file.write_bytes(b'a = "\xff"')
        with pytest.raises(ConfigUnreadable, match="not UTF-8 at byte 5"):
            load(file, {})


class TestContradictions:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "pacs.example"])
    def test_other_addresses_than_loopback_are_refused(self, tmp_path: Path, host: str) -> None:
        found = problems(tmp_path, f'[dimse]\nhost = "{host}"\n[http]\nhost = "{host}"\n')
        assert set(found) == {"dimse.host", "http.host"}
        assert "allow_insecure_network = true" in found["http.host"].expected

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
    def test_loopback_addresses_are_accepted(self, tmp_path: Path, host: str) -> None:
        assert load(written(tmp_path, f'[dimse]\nhost = "{host}"\n'), {}).dimse.host == host

    def test_a_site_may_accept_the_risk_of_an_open_address(self, tmp_path: Path) -> None:
        text = '[dimse]\nhost = "0.0.0.0"\n[trust]\nallow_insecure_network = true\n'
        assert load(written(tmp_path, text), {}).dimse.host == "0.0.0.0"

    def test_the_metrics_listener_is_loopback_too_once_there_is_one(self, tmp_path: Path) -> None:
        text = '[metrics]\nhost = "0.0.0.0"\n'
        assert load(written(tmp_path, text), {}).metrics.port is None
        assert set(problems(tmp_path, f"{text}port = 9\n")) == {"metrics.host"}

    @pytest.mark.parametrize("origins", ['["*"]', '{ source = ["*"] }', '["https://a", "*"]'])
    def test_any_origin_on_the_source_has_to_be_accepted(
        self, tmp_path: Path, origins: str
    ) -> None:
        text = f"[http]\ncors_origins = {origins}\n"
        assert set(problems(tmp_path, text)) == {"http.cors_origins"}
        text += "[trust]\nallow_any_origin_on_source = true\n"
        assert "*" in load(written(tmp_path, text), {}).http.cors_origins["source"]

    @pytest.mark.parametrize(
        ("origins", "by_store"),
        [
            ("[]", {"source": (), "deid": ()}),
            ('["https://a"]', {"source": ("https://a",), "deid": ("https://a",)}),
            ('{ deid = ["*"] }', {"deid": ("*",)}),
        ],
    )
    def test_origins_are_set_for_both_stores_or_for_each(
        self, tmp_path: Path, origins: str, by_store: dict[str, tuple[str, ...]]
    ) -> None:
        text = f"[http]\ncors_origins = {origins}\n"
        assert load(written(tmp_path, text), {}).http.cors_origins == by_store

    def test_origins_are_set_for_stores_that_exist(self, tmp_path: Path) -> None:
        text = '[http]\ncors_origins = { sorce = ["https://a"] }\n'
        (problem,) = problems(tmp_path, text).values()
        assert problem.nearest == "source"

    def test_two_listeners_cannot_share_a_port(self, tmp_path: Path) -> None:
        assert set(problems(tmp_path, "[dimse]\nport = 5\n[http]\nport = 5\n")) == {"http.port"}
        text = "[dimse]\nport = 5\n[http]\nport = 6\n[metrics]\nport = 5\n"
        assert set(problems(tmp_path, text)) == {"metrics.port"}

    def test_the_kernel_may_choose_both_ports(self, tmp_path: Path) -> None:
        load(written(tmp_path, "[dimse]\nport = 0\n[http]\nport = 0\n"), {})

    @pytest.mark.parametrize("path", ["/s", "/s/in", "/"])
    def test_a_watched_folder_lies_apart_from_the_state_folder(
        self, tmp_path: Path, path: str
    ) -> None:
        text = f'state_dir = "/s"\n[[watch]]\npath = "{path}"\n'
        assert set(problems(tmp_path, text)) == {"watch[0].path"}

    @pytest.mark.parametrize(("first", "second"), [("/a", "/a"), ("/a", "/a/b"), ("/a/b", "/a")])
    def test_watched_folders_do_not_overlap(self, tmp_path: Path, first: str, second: str) -> None:
        text = f'[[watch]]\npath = "{first}"\n[[watch]]\npath = "{second}"\n'
        assert set(problems(tmp_path, text)) == {"watch[1].path"}

    def test_watched_folders_do_not_overlap_through_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "a")
        text = f'[[watch]]\npath = "{tmp_path}/a"\n[[watch]]\npath = "{tmp_path}/link/in"\n'
        assert set(problems(tmp_path, text)) == {"watch[1].path"}

    @pytest.mark.parametrize("moved_to", ["/a/done", "/b", "/b/x", "/c/../b"])
    def test_received_files_are_not_moved_to_where_they_would_be_taken_again(
        self, tmp_path: Path, moved_to: str
    ) -> None:
        text = _MOVING_TO.format(moved_to)
        assert set(problems(tmp_path, text)) == {"watch[0].moved_to"}

    @pytest.mark.parametrize("moved_to", ["/out", "/a/.done/2026", "/bb", "/b/.c"])
    def test_received_files_are_moved_to_where_nothing_is_taken(
        self, tmp_path: Path, moved_to: str
    ) -> None:
        settings = load(written(tmp_path, _MOVING_TO.format(moved_to)), {})
        assert str(settings.watch[0].moved_to) == moved_to

    def test_routes_name_deidentifiers_that_exist(self, tmp_path: Path) -> None:
        text = '[deidentifiers.research]\nconfig = "basic"\n[[routes]]\ndeidentifier = "other"\n'
        assert set(problems(tmp_path, text)) == {"routes[0].deidentifier"}

    def test_a_file_without_routes_is_told_that_it_needs_one(self, tmp_path: Path) -> None:
        text = '[deidentifiers.research]\nconfig = "basic"\n'
        (problem,) = problems(tmp_path, text).values()
        assert str(problem).count("[[routes]]") == 1
        assert "research" in str(problem)

    def test_a_broken_deidentifier_does_not_blame_its_routes(self, tmp_path: Path) -> None:
        text = '[deidentifiers."A b"]\n[[routes]]\ndeidentifier = "A b"\n'
        assert set(problems(tmp_path, text)) == {"deidentifiers.A b"}


class TestPresets:
    def test_a_json_file_is_relative_to_the_toml_file(self, tmp_path: Path) -> None:
        (tmp_path / "own.json").write_text('{"dicom": {}}')
        settings = load(written(tmp_path, '[deidentifiers.default]\nconfig = "own.json"\n'), {})
        assert settings.deidentifiers["default"].config == str(tmp_path / "own.json")

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (b'{"a": }', "not JSON: .* at line 1, column 7"),
            (b"[]", "expected a JSON object"),
            (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
            (b"[" * 100_000, "nested too deeply"),
            (None, "cannot be read"),
        ],
    )
    def test_what_is_wrong_with_a_json_file_is_said_with_its_name(
        self, tmp_path: Path, content: bytes | None, expected: str
    ) -> None:
        if content is not None:
            (tmp_path / "own.json").write_bytes(content)
        with pytest.raises(ConfigInvalid, match=f"own.json: .*{expected}"):
            load(written(tmp_path, '[deidentifiers.default]\nconfig = "own.json"\n'), {})
