"""Every way in which the simulated Microsoft 365 can be made to misbehave."""

from dataclasses import dataclass, field


@dataclass
class Failures:
    """One field a failure mode; the default is "off". Counters run down by one each time they strike.

    Operations, as `delays` and `throttle_operation` understand them: `create_or_get`, `create`, `get`,
    `find`, `patch`, `delete`, `join_url`, `reports`, `users`, `subscription`, `subscription_renew`,
    `subscription_read`, `subscription_delete`; `delays` also `authorize`, `token` and `keys`.
    """

    # Entra
    token_error: str = ""
    """OAuth error code that the token endpoint answers instead of a token, e.g. `invalid_client`."""
    token_error_times: int = 0
    """How many times `token_error` strikes; 0 means until it is switched off."""
    token_down: bool = False
    """The token endpoint answers 503 with a text body."""
    missing_permissions: list[str] = field(default_factory=list)
    """Application permissions of Graph that the tenant's consent lacks."""
    emit_wids: bool = False
    """The `wids` claim is present, as when the manifest has groupMembershipClaims."""
    outsider_is_guest: bool = False
    """The foreign user was invited as a guest, so that signing in to the Sierra tenant works for them."""
    sign_in_error: str = ""
    """OAuth error code with which the authorize page answers after an account was chosen."""
    wrong_nonce: bool = False
    """id_tokens carry another nonce than the request's."""
    id_token_signature: str = ""
    """`stranger`: id_tokens are signed by an unpublished key under a published kid."""

    # Graph
    delays: dict[str, float] = field(default_factory=dict)
    """Seconds that an operation takes at least."""
    throttle: int = 0
    """How many requests to Graph are answered 429."""
    throttle_operation: str = ""
    """Only this operation is throttled or unavailable; empty means all."""
    retry_after: str | None = "1"
    """The Retry-After of 429 and 503, verbatim ("2", "0.5"); null leaves the header out."""
    unavailable: int = 0
    """How many requests to Graph are answered 503."""
    no_policy: bool = False
    """No application access policy covers anybody."""
    no_policy_for: list[str] = field(default_factory=list)
    """Object ids of users whom the application access policy does not cover."""
    no_licence_for: list[str] = field(default_factory=list)
    """Object ids of users who hold no licence at all."""
    teams_off_for: list[str] = field(default_factory=list)
    """Object ids of users in whose licence Teams is switched off."""
    virtual_appointment_unavailable: bool = False
    """getVirtualAppointmentJoinWebUrl answers 403, as in clouds that lack it."""
    create_or_get_forks: int = 0
    """How many new meetings createOrGet answers that the next call no longer finds under their key."""
    fails_after_create: int = 0
    """How many createOrGet calls make the meeting, yet answer 503."""
    subscription_quota: bool = False
    """The tenant's 10,000 subscriptions are used up: 403."""
    report_polls_empty: int = 0
    """How many times the list of attendance reports is empty although a report exists."""
    anonymous_join_off: bool = False
    """The tenant's meeting policy lets nobody in who is not signed in."""

    # Change notifications
    notifications_off: bool = False
    """Nothing is delivered, and nothing later."""
    notification_delay: float = 0.0
    """Seconds between an event and its first delivery."""
    duplicate: bool = False
    """Every event is delivered twice."""
    duplicate_share: float = 0.0
    """The part of all events, from 0 to 1, that is delivered twice."""
    shuffle: bool = False
    """Events are held for up to `shuffle_seconds` each, so that they arrive out of order."""
    shuffle_seconds: float = 1.0
    """For how long `shuffle` holds an event at most."""
    drop_every: int = 0
    """Every n-th event is lost."""
    camel_case: bool = False
    """Decrypted payloads spell their keys as the documentation does, not as the service was seen to."""
    event_type_name: str = "eventType"
    """The name of the event's type: `eventType` or `callEventType`."""
    unknown_event_type: bool = False
    """Every event is preceded by one of a type that no reader of 2024 knew."""
    no_call_ended: bool = False
    """callEnded is never sent."""
    no_call_ended_share: float = 0.0
    """The part of all calls, from 0 to 1, whose callEnded is not sent."""
    quiet_lobby: bool = False
    """People who wait before anybody is in the meeting are first heard of when somebody is."""
    external_identity: str = "guest"
    """How a participant without an account appears: `guest`, `acs` or `phone`."""
    wrong_publisher: bool = False
    """Validation tokens name another `appid` than the change-notification publisher's."""
    wrong_audience: bool = False
    """Validation tokens are for another app."""
    foreign_tid: bool = False
    """Validation tokens are the foreign tenant's."""
    expired_validation_token: bool = False
    """Validation tokens lapsed an hour ago."""
    validation_algorithm: str = "RS256"
    """`none` or `HS256` forge the validation tokens; `stranger` signs with an unpublished key."""
    no_validation_tokens: bool = False
    """Notifications come without validation tokens."""
    bad_hmac: bool = False
    """The signature of the encrypted content does not fit."""
    wrong_client_state: bool = False
    """The item's clientState is not the subscription's."""
    wrong_tenant: bool = False
    """The item names the foreign tenant."""
