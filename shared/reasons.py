"""The table of reasons: every way of not getting what one wanted, each with what is shown and what to do.

``title`` and ``text`` are safe to show to anybody: plain words, no detail of the request. ``staff`` is what
a clinician, analyst or administrator should do about it. ``level`` is that of the log line: what is expected
is a warning, a surprise an error, so that alerts mean something.
"""

import logging
from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """One row of the table: what is answered, shown and logged."""

    code: str
    status: int
    title: str
    text: str
    staff: str
    level: int = logging.WARNING


_NOTHING_OPENED = "Nothing was opened. Please go back and press Begin virtual visit again."

# fmt: off
_ROWS = (
    # -- launch: what was asked for
    Reason("connection-unknown", 404, "This link is not known",
           "The address is incomplete or no longer in use.",
           "Compare the launch URL in the EHR with the integration record in the portal."),
    Reason("connection-not-approved", 403, "Video visits are not switched on yet",
           "The hospital has not finished setting up this connection.",
           "The connection has no approved revision. Ask the approver to approve it in the portal."),
    Reason("launch-incomplete", 400, "The visit could not be opened", _NOTHING_OPENED,
           "The EHR must send both iss and launch. Check that the record is of kind SMART on FHIR."),
    Reason("parameter-invalid", 400, "The visit could not be opened", _NOTHING_OPENED,
           "A parameter was too long or held characters that do not belong there."),
    Reason("wrong-environment", 403, "The visit could not be opened",
           "This link belongs to another system of the hospital.",
           "The launching environment (production or test) is not the one this connection was approved "
           "for. Compare its FHIR base URL with the connection's."),
    Reason("endpoint-changed", 502, "The visit could not be opened", _NOTHING_OPENED,
           "The EHR now names an endpoint on a host that was not approved. If that is right, edit and "
           "approve again."),
    Reason("ehr-unreachable", 503, "The hospital's system does not answer",
           "Please wait a minute, then press Begin virtual visit again.",
           "The EHR did not answer in time. Its status page or the connection check tells more."),
    Reason("ehr-answer-invalid", 502, "The visit could not be opened", _NOTHING_OPENED,
           "The EHR's answer was not what SMART App Launch 2.2 asks for."),
    Reason("browser-unsupported", 400, "This browser is too old for a video visit",
           "Please use a current Edge, Chrome, Safari or Firefox.",
           "The EHR opened the launch in a browser that Teams does not support, for example Internet "
           "Explorer. Set the record's window to external, so that the default browser is used."),
    # -- launch: the way back from the EHR
    Reason("flow-unknown", 400, "This page cannot be opened again", _NOTHING_OPENED,
           "The browser holds no launch for this answer: another browser, a blocked cookie, or an old "
           "link."),
    Reason("flow-expired", 400, "That took too long", _NOTHING_OPENED,
           "The launch was older than ten minutes."),
    Reason("ehr-refused", 403, "The hospital's system did not agree", _NOTHING_OPENED,
           "The EHR answered the authorization request with an error. Check scopes and the app's "
           "registration."),
    Reason("code-refused", 403, "The visit could not be opened", _NOTHING_OPENED,
           "The EHR did not accept the authorization code. It lives for about one minute and works once."),
    Reason("client-refused", 502, "The visit could not be opened", _NOTHING_OPENED,
           "The EHR does not accept our client authentication. Check client ID, JWKS URL and algorithm.",
           logging.ERROR),
    Reason("keys-missing", 503, "Video visits are not fully set up yet",
           "The set-up of this organization is not finished. Please contact your clinic or administrator.",
           "This organization's signing keys are not in the key vault. The operator of this service makes a "
           "set (make keys) and stores it as ehr-signing-keys-<tenant ID>, or as ehr-signing-keys where "
           "there is one organization only.", logging.ERROR),
    Reason("identity-missing", 403, "The visit could not be opened", _NOTHING_OPENED,
           "The EHR sent no id_token. Register the scopes openid and fhirUser for this client."),
    Reason("identity-invalid", 403, "The visit could not be opened", _NOTHING_OPENED,
           "The id_token did not verify.", logging.ERROR),
    Reason("wrong-front-door", 403, "This is not your entrance",
           "Please open the visit from your own portal.",
           "A patient's token came to the clinicians' door, or the reverse. Check which OAuth client the "
           "record uses."),
    Reason("visit-missing", 400, "There is no visit to open",
           "Please open it from the visit in your schedule.",
           "The EHR sent no visit. Check the context string of the integration record."),
    Reason("visit-invalid", 400, "There is no visit to open",
           "Please open it from the visit in your schedule.",
           "The visit's ID still held a percent sign or other characters: the context token was not "
           "resolved."),
    Reason("visit-not-yours", 403, "This visit is not yours",
           "Please open it from your own portal.",
           "The visit belongs to another patient than the one who signed in."),
    Reason("ehr-user-missing", 403, "The visit could not be opened", _NOTHING_OPENED,
           "The EHR did not say who launches. Check the user's token in the context string. A group visit "
           "needs a record of its own: switch on Group visits in the settings."),
    Reason("ehr-user-changed", 403, "This link to Microsoft 365 is no longer valid",
           "Please contact your administrator.",
           "The EHR user ID and the signed-in EHR account no longer belong together. Check the context "
           "string, then unlink the user in the portal.", logging.ERROR),
    Reason("too-early", 403, "You are a little early",
           "Please come back shortly before your visit.",
           "The visit's join window has not opened yet."),
    Reason("too-late", 403, "This visit is over",
           "Please contact your clinic for a new time.",
           "The visit's join window has closed."),
    Reason("visit-cancelled", 403, "This visit was cancelled",
           "Please contact your clinic for a new time.",
           "The appointment is cancelled in the EHR."),
    # -- Microsoft 365
    Reason("sign-in-failed", 403, "The sign-in did not work",
           "Please try again.",
           "Microsoft 365 answered with an error or the sign-in was cancelled."),
    Reason("sign-in-expired", 400, "The sign-in took too long",
           "Please start again.",
           "The sign-in was older than its ten minutes, or belongs to another browser."),
    Reason("wrong-organization", 403, "This account belongs to another organization",
           "Please choose your hospital account.",
           "The Microsoft 365 account is not of the tenant that owns this connection, or the operator of "
           "this service has not listed its organization."),
    Reason("account-unusable", 403, "This Microsoft 365 account cannot be used",
           "Please contact your administrator.",
           "The account is disabled, deleted or a guest."),
    Reason("meeting-unavailable", 503, "The video room is not ready",
           "Please wait a minute, then press Begin virtual visit again.",
           "Microsoft Teams did not give us the meeting. The connection check tells more.", logging.ERROR),
    Reason("access-policy-missing", 503, "The video room is not ready",
           "Please contact the clinic.",
           "Teams has no application access policy for the organizer. Run the two PowerShell lines that "
           "the connection check shows; they take up to 30 minutes to work.", logging.ERROR),
    Reason("view-unknown", 404, "This view is closed",
           "Please open it again from the visit.",
           "The live view belongs to another browser, user or visit, or its time is over."),
    # -- the portal and its API
    Reason("not-signed-in", 401, "Please sign in",
           "Your session is over or has not begun.",
           "Sign in again."),
    Reason("not-allowed", 403, "You may not do this",
           "Your role does not include this.",
           "Ask for the app role Connector.Admin, or to be named as the connection's approver."),
    Reason("directory-unavailable", 503, "The directory does not answer",
           "Please try again in a minute.",
           "Microsoft 365 did not answer the search for people. Check the token for Microsoft Graph."),
    Reason("not-found", 404, "Not found",
           "There is nothing here, or it is not yours to see.",
           "Check the address."),
    Reason("changed-meanwhile", 409, "Somebody else saved first",
           "Nothing of yours was lost: compare and save again.",
           "Reload to see the newest version."),
    Reason("state-conflict", 409, "Not possible in this state",
           "The connection is in another state by now.",
           "Reload the page to see its state."),
    Reason("field-invalid", 422, "Please check the marked fields",
           "Some entries cannot be used.",
           "Each field says what it needs."),
    Reason("proof-missing", 403, "Sign in to the EHR first",
           "Approval needs proof, not older than one hour, that you can sign in to this EHR.",
           "Press Sign in to the EHR, then approve."),
    Reason("approval-not-proven", 403, "You did not sign in to the EHR",
           "Nothing was approved and nothing was changed.",
           "Open the connection and press Sign in to the EHR again. If you did sign in and the EHR refused, "
           "compare scopes and redirect URIs with the registration sheet."),
    Reason("cross-site", 403, "This request came from another site",
           "Nothing was changed.",
           "Open the portal directly and try again."),
    Reason("too-large", 413, "That is too much",
           "The request is larger than we accept.",
           "Send less."),
    Reason("body-invalid", 400, "The request could not be read",
           "Nothing was changed.",
           "Send one JSON object, or the portal's own form, in UTF-8."),
    Reason("media-type", 415, "This kind of content is not accepted",
           "Send JSON or a form.",
           "Check Content-Type."),
    # -- ours
    Reason("storage-unavailable", 503, "Please try again in a minute",
           "The service is not fully available.",
           "The region's storage does not answer.", logging.ERROR),
    Reason("internal-error", 500, "Something went wrong on our side",
           "Please try again in a minute.",
           "The log holds the trace.", logging.ERROR),
)
# fmt: on

REASONS = {row.code: row for row in _ROWS}
