"""Every setting of the service, once: flags, environment variables, the file and their help are all made from it."""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from service.faults import InputError
from service.setting_values import (
    check_cidrs,
    check_origins,
    check_port,
    check_root_path,
    check_topic,
    check_url,
    named,
    size,
    words,
)

PREFIX = "FRAMEWATCH_"
"""Of environment variables: `FRAMEWATCH_MAX_STREAMS`."""

Location = Annotated[Path, AfterValidator(Path.expanduser)]
Bytes = Annotated[int, BeforeValidator(size)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(words), AfterValidator(check_cidrs)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(words), AfterValidator(check_origins)]
Sources = Annotated[dict[str, int | Path], NoDecode, BeforeValidator(named)]


class SettingsError(InputError):
    """Settings that cannot be used; the message says which, where it was given, and what is expected."""


def _setting(default: Any, group: str, title: str, description: str, unit: str, flag: str = "", **bounds: Any) -> Any:
    """A setting as pydantic knows it.

    Args:
        default: also of what is computed; a list or table is empty.
        group: heading under which it is listed.
        title: a few words.
        description: what it does and when to change it.
        unit: what stands for the value in help texts: a unit, or what kind of text it is.
        flag: name of the flag, if it is not the setting's own; `-`: no flag.
        bounds: `ge`, `gt`, `le`, `min_length`.
    """
    extra: Any = {"group": group, "unit": unit, "flag": flag}
    return Field(default, title=title, description=description, json_schema_extra=extra, **bounds)


class Settings(BaseSettings):
    """What can be set. A flag goes before an environment variable, that before the file, that before the default."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    # fmt: off
    config: Location | None = _setting(
        None, "File", "Settings file", "TOML file with settings by these names; what is not in it keeps its default.",
        "FILE")

    host: str = _setting(
        "127.0.0.1", "Network", "Address", "Address to listen on, 0.0.0.0 for all; beyond loopback, keys are needed.",
        "ADDRESS", min_length=1)
    port: Annotated[int, BeforeValidator(check_port)] = _setting(
        8000, "Network", "Port", "Port to listen on; 0 takes a free one.", "N", ge=0, le=65535)
    root_path: Annotated[str, AfterValidator(check_root_path)] = _setting(
        "", "Network", "Root path", "Path at which a reverse proxy shows the service, such as /cameras.", "PATH")
    trusted_proxies: Networks = _setting(
        ("127.0.0.0/8", "::1/128"), "Network", "Trusted proxies", "Reverse proxies whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed.", "CIDR", flag="trusted_proxy")
    ssl_certfile: Location | None = _setting(
        None, "Network", "TLS certificate", "PEM file of the certificate and its chain; with it, only TLS is spoken.",
        "FILE")
    ssl_keyfile: Location | None = _setting(
        None, "Network", "TLS key", "PEM file of the certificate's key, if it is not in the same file.", "FILE")
    ssl_keyfile_password: SecretStr | None = _setting(
        None, "Network", "TLS key password", "Password of the TLS key; by variable or file only, as everyone can read "
        "flags.", "TEXT", flag="-")

    auth: Literal["auto", "on", "off"] = _setting(
        "auto", "Access", "Keys needed", "Whether requests need a key; auto: when listening beyond loopback.",
        "auto|on|off")
    allowed_origins: Origins = _setting(
        (), "Access", "Allowed origins", "Web pages of other origins that may use the service from a browser.",
        "ORIGIN", flag="allowed_origin")
    session_days: float = _setting(
        30.0, "Access", "Length of a login", "How long a login of the dashboard lasts; a revoked key ends it at once.",
        "DAYS", gt=0, le=365)
    camera_networks: Networks = _setting(
        (), "Access", "Camera networks", "Networks in which cameras may be; if none is given, every address but "
        "loopback, link-local, cloud metadata, multicast and unspecified ones.", "CIDR", flag="camera_network")
    webhook_networks: Networks = _setting(
        (), "Access", "Webhook networks", "Networks to which alerts may be sent; if none is given, the same as of "
        "cameras.", "CIDR", flag="webhook_network")
    sources: Sources = _setting(
        {}, "Access", "Local sources", "Webcams (by number) and video files (by path) that streams may name.",
        "NAME=WHERE", flag="source")

    data_dir: Location = _setting(
        Path("framewatch-data"), "Data", "Data folder", "Where streams, scores, events, jobs and keys are kept.",
        "FOLDER")
    scores_max_bytes: Bytes = _setting(
        5_000_000_000, "Data", "Size of scores", "Scores are kept up to this size, about 90 bytes each; then the "
        "oldest are deleted.", "BYTES", ge=1_000_000, le=10**15)
    scores_max_age_days: float | None = _setting(
        None, "Data", "Age of scores", "Scores older than this are deleted; if not given, none.", "DAYS",
        gt=0, le=36_500)
    jobs_max_age_days: float | None = _setting(
        None, "Data", "Age of jobs", "Jobs that ended longer ago are deleted with their scores; if not given, none.",
        "DAYS", gt=0, le=36_500)
    jobs_max_count: int = _setting(
        10_000, "Data", "Number of jobs", "Ended jobs that are kept; then the oldest are deleted.", "N",
        ge=0, le=10_000_000)
    jobs_max_bytes: Bytes = _setting(
        5_000_000_000, "Data", "Size of jobs", "Scores of ended jobs are kept up to this size, about 80 bytes each; "
        "then the oldest jobs are deleted.", "BYTES", ge=1_000_000, le=10**15)
    min_free_disk_bytes: Bytes = _setting(
        1_000_000_000, "Data", "Free disk space", "With less free space, uploads are refused and old scores make room "
        "for new ones.", "BYTES", ge=0, le=10**15)

    model: Location | None = _setting(
        None, "Model", "Model", "Checkpoint to score with at the start: a file, or a name in the model folder.", "FILE")
    models_dir: Location | None = _setting(
        None, "Model", "Model folder", "Checkpoints that can be chosen while running; if not given, models in the "
        "data folder.", "FOLDER")
    device: str = _setting(
        "auto", "Model", "Device", "What computes: auto takes a GPU where there is one, cuda:1 is the second.",
        "auto|cpu|cuda", min_length=1)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = _setting(
        "auto", "Model", "Precision", "Number format of the encoder; auto takes what is fast here.",
        "auto|float32|bfloat16|float16")
    max_batch: int | None = _setting(
        None, "Model", "Batch", "Frames of all streams scored together at most; if not given, 64 on a GPU and 8 on a "
        "CPU, where more would only wait for each other.", "FRAMES", ge=1, le=4096)
    batch_wait_ms: float = _setting(
        4.0, "Model", "Wait for a batch", "How long a frame waits for others while the device is busy anyway.",
        "MILLISECONDS", ge=0, le=1000)
    engine_hang_seconds: float = _setting(
        120.0, "Model", "Hung engine", "When what computes has not moved for so long, the process ends with exit code "
        "75, for its supervisor to start it anew; 0: never.", "SECONDS", ge=0, le=86_400)

    learning_max_bytes: Bytes = _setting(
        4_000_000_000, "Model", "Size of a recording", "Footage recorded to learn a camera from, at most; it is "
        "removed when the model is made.", "BYTES", ge=1_000_000, le=10**15)
    learning_threads: int | None = _setting(
        None, "Model", "Threads for learning", "Processor threads that a training takes, at the lowest priority; if "
        "not given, half of the cores.", "N", ge=1, le=256)

    max_streams: int = _setting(
        500, "Limits", "Streams", "Streams at one time; more are refused with 503.", "N", ge=1, le=100_000)
    max_clients: int = _setting(
        2000, "Limits", "Clients", "Websocket and event-stream connections at one time; more are refused with 503.",
        "N", ge=1, le=100_000)
    max_clients_per_key: int = _setting(
        1000, "Limits", "Clients of a key", "The same for the holders of one key; more are refused with 429.",
        "N", ge=1, le=100_000)
    max_backlog_bytes: Bytes = _setting(
        1_000_000_000, "Limits", "Waiting frames", "Frames of all streams that may wait in memory; then they are "
        "dropped or held back as if their own queues were full.", "BYTES", ge=1_000_000, le=10**13)
    max_frame_bytes: Bytes = _setting(
        8_000_000, "Limits", "Frame size", "Largest JPEG or PNG a client may send as a frame.", "BYTES",
        ge=1_000, le=1_000_000_000)
    max_pixels: int = _setting(
        33_554_432, "Limits", "Picture size", "Largest width times height of a picture or video; larger ones are "
        "refused before they are decoded.", "PIXELS", ge=4096, le=2**30)
    max_upload_bytes: Bytes = _setting(
        4_000_000_000, "Limits", "Upload size", "Largest upload.", "BYTES", ge=1_000, le=10**15)
    max_video_seconds: float = _setting(
        14_400.0, "Limits", "Video length", "Longest video that is scored as a job.", "SECONDS", ge=1, le=10**7)
    max_jobs: int = _setting(
        100, "Limits", "Jobs", "Jobs that wait or run at one time; more are refused with 429.", "N", ge=1, le=100_000)

    cooldown: float = _setting(
        30.0, "Events", "Cooldown", "After an announced event, none opens for so long (a stream can have its own).",
        "SECONDS", ge=0, le=86_400)
    public_url: Annotated[str, AfterValidator(check_url)] = _setting(
        "", "Events", "Public URL", "Where people reach the service, such as https://monitor.example/cameras: for the "
        "links in alerts.", "URL")
    clip_before_s: float = _setting(
        5.0, "Events", "Clip before", "A clip begins so long before its event.", "SECONDS", ge=0, le=60)
    clip_after_s: float = _setting(
        5.0, "Events", "Clip after", "A clip ends so long after its event.", "SECONDS", ge=0, le=60)
    clip_max_s: float = _setting(
        120.0, "Events", "Longest clip", "A clip of a longer event ends there.", "SECONDS", ge=1, le=3600)
    clip_memory_bytes: Bytes = _setting(
        512_000_000, "Events", "Memory for clips", "What the last seconds of all streams together may take in memory; "
        "with less, clips begin later.", "BYTES", ge=1_000_000, le=10**12)
    clips_max_bytes: Bytes = _setting(
        10_000_000_000, "Events", "Size of clips", "Clips and pictures of events are kept up to this size, then the "
        "oldest are removed; 0: none are made.", "BYTES", ge=0, le=10**15)
    clips_max_age_days: float | None = _setting(
        None, "Events", "Age of clips", "Clips and pictures older than this are removed; if not given, none.", "DAYS",
        gt=0, le=36_500)

    mqtt_host: str | None = _setting(
        None, "MQTT", "Broker", "MQTT broker that is told how each stream is; if not given, none. Needs "
        "framewatch[mqtt].", "HOST", min_length=1)
    mqtt_port: int = _setting(
        1883, "MQTT", "Port", "Port of the broker; with TLS usually 8883.", "N", ge=1, le=65535)
    mqtt_tls: Literal["on", "off"] = _setting(
        "off", "MQTT", "TLS", "Whether the connection to the broker is encrypted.", "on|off")
    mqtt_ca_file: Location | None = _setting(
        None, "MQTT", "Certificates", "PEM file of certificates that are trusted; if not given, the system's.", "FILE")
    mqtt_user: str | None = _setting(
        None, "MQTT", "User", "User name at the broker.", "NAME", min_length=1)
    mqtt_password: SecretStr | None = _setting(
        None, "MQTT", "Password", "Password at the broker; by variable or file only, as everyone can read flags.",
        "TEXT", flag="-")
    mqtt_topic: Annotated[str, AfterValidator(check_topic)] = _setting(
        "framewatch", "MQTT", "Topic", "First part of all topics; another one for each service at a broker.", "TOPIC",
        min_length=1)
    mqtt_discovery_topic: Annotated[str, AfterValidator(check_topic)] = _setting(
        "homeassistant", "MQTT", "Discovery topic", "Where Home Assistant looks for new devices; empty: not "
        "told.", "TOPIC")

    replay_seconds: float = _setting(
        60.0, "Push", "Replay time", "How much of a stream is held in memory for clients that come back; the rest "
        "is read from disk.", "SECONDS", ge=0, le=3600)
    replay_count: int = _setting(
        1000, "Push", "Replay count", "Scores of a stream held in memory for that at most.", "SCORES", ge=0, le=100_000)
    drain_seconds: float = _setting(
        10.0, "Push", "Drain time", "How long a stop waits for what is under way before it cuts it off.", "SECONDS",
        ge=0, le=600)

    open_timeout_s: float = _setting(
        10.0, "Cameras", "Open timeout", "A camera that cannot be opened for so long is tried again later.", "SECONDS",
        ge=0.1, le=300)
    read_timeout_s: float = _setting(
        10.0, "Cameras", "Read timeout", "A camera that sends nothing for so long is opened anew.", "SECONDS",
        ge=0.1, le=300)
    stalled_after_s: float = _setting(
        5.0, "Cameras", "Stalled after", "A stream without a frame for so long is called stalled.", "SECONDS",
        ge=0.1, le=3600)
    identical_after_s: float = _setting(
        60.0, "Cameras", "Frozen after", "A camera whose picture stays the same to the bit for so long is called "
        "stalled.", "SECONDS", ge=1, le=86_400)

    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", "Logs", "Log level", "What is logged.", "debug|info|warning|error")
    log_format: Literal["text", "json"] = _setting(
        "text", "Logs", "Log format", "How: lines to read, or one JSON object a line.", "text|json")
    # fmt: on

    @property
    def auth_on(self) -> bool:
        """Whether requests need a key."""
        return self.auth == "on" or (self.auth == "auto" and not is_loopback(self.host))

    @property
    def models_folder(self) -> Path:
        """Where checkpoints are chosen from."""
        return self.data_dir / "models" if self.models_dir is None else self.models_dir

    @model_validator(mode="after")
    def _check_tls(self) -> Settings:
        if self.ssl_certfile is None and (self.ssl_keyfile or self.ssl_keyfile_password):
            raise ValueError("ssl_keyfile and ssl_keyfile_password need ssl_certfile")
        if self.mqtt_password and not self.mqtt_user:
            raise ValueError("mqtt_password needs mqtt_user")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keyword arguments (the flags), environment, and the file that one of them names."""
        path = {**env_settings(), **init_settings()}.get("config")
        if path is None:
            return init_settings, env_settings
        return init_settings, env_settings, InitSettingsSource(settings_cls, read_file(Path(path).expanduser()))


def read_file(path: Path) -> dict[str, Any]:
    """The settings in a TOML file, unchecked.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            found = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML file: {error}") from None
    if "config" in found:
        raise SettingsError(f"{path}: config: a settings file cannot name another one")
    return found


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach an address to listen on."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
