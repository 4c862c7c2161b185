"""Epic: apps at Epic on FHIR, integration records (FDI).

Sources: ehr.md 2.1 to 2.3, 2.6 and section 9; Epic on FHIR, App Creation & Request Process. Epic's own lists
(tokens, LAUNCHTYPE, how MyChart is built) need a login: there the analyst's documentation decides.
"""

from config_function.wording.table import OPTIONAL_VIEW, Mistake, Wording, steps

EPIC = Wording(
    record="Integration record (FDI)",
    window=("An external or floating window, not embedded: a video visit does not run inside another page."),
    audiences={
        "provider": "Clinicians or Administrative Users",
        "patient": "Patients",
        "backend": "Backend Systems",
    },
    form={
        "audience": "Application Audience",
        "redirect_uri": "Redirect URI",
        "jwks_url": "JWK Set URL",
        "apis": "Incoming APIs",
        "launch_url": "FDI: URL",
    },
    fields={
        "launch_url": "URL",
        "client_id": "CLIENTID",
        "context": "CONTEXT",
        "window": "LAUNCHTYPE",
    },
    fixed=(("PROTECTED", "1"),),
    at_hand=steps("""
        Epic November 2019 or later: earlier versions do not say who signed in.

        An Epic analyst who may create apps at Epic on FHIR, download their client records to your
        organization, and build integration records (FDI).

        The FHIR base URL of the environment. It ends in /api/FHIR/R4.
    """),
    register=steps("""
        At Epic on FHIR (fhir.epic.com) open Build Apps and create one app for each client of the sheet. An
        app has one audience, so clinicians and patients cannot share one.

        Choose the Application Audience of the sheet, and select its Incoming APIs: in Epic they decide what
        an app may read, whatever scopes it asks for.

        Choose R4 as the app's FHIR version: otherwise Epic does not say who signed in.

        Enter every Redirect URI and the JWK Set URL exactly as the sheet says. Uploaded keys are being
        retired by Epic; the address stays.

        The backend app needs an Epic user record, in each environment, under which Epic keeps its audit
        trail. Without it Epic gives no token. Under which name your version offers the connection status
        among the Incoming APIs, check in your documentation.

        Mark the app ready for production and have its client record downloaded to your organization: until
        then none of your environments knows it. An app that is ready cannot be changed any more, so compare
        it with the sheet before.

        Take the non-production client ID for a test connection and the production client ID for a
        production connection: every app has both.

        Give it time: a new or changed app needs about half an hour to reach an environment, and can need
        several hours.
    """),
    build=steps("""
        Make a new FDI record for each of the integration records: type PACS, model SMART ON FHIR. A group
        visit needs records of its own; do not turn a single visit's record into one.

        Enter the mnemonics as they stand here, character by character. Percent signs, semicolons and blanks
        of the context string belong to it.

        Choose the window with the mnemonic LAUNCHTYPE. The value 7 embeds the page and must not be used;
        which value of your version opens an external or floating window, check in your documentation.

        Put the non-production client ID into records of test environments and the production client ID into
        those of production.
    """),
    attach={
        "provider-visit": (
            "Name it in the action that connects clinicians to a video visit, in the schedule and "
            "in the visit navigator; a button of its own is an activity (E2N) with a menu entry "
            "(E2U). Try it in Hyperspace, and in Haiku and Canto where they are used."
        ),
        "patient-visit": (
            "Name it where MyChart opens a video visit, on the web and in the app. Where your "
            "version wants it, check in your documentation."
        ),
        "provider-group": "Name it in the same places for visit types with several patients.",
        "patient-group": "Name it in MyChart for visit types with several patients.",
        "provider-view": OPTIONAL_VIEW,
        "patient-device-test": (
            "Optional: name it where MyChart offers a hardware test before a video visit. Whether "
            "your version does, check in your documentation."
        ),
    },
    context=steps("""
        At launch Epic puts values in the place of the tokens and hands them over with the access token.
        They never stand in the launch URL.

        One visit is named by %CSN%. All appointments of a group visit share one %CONFERENCEID%, which is why
        group visits have records of their own, marked with visit=group.

        The user who launches is named by %EPICUSERID%. Epic's list of tokens is not public: check in your
        documentation that your version fills this one, in MyChart too. If it does not, empty the key of that
        EHR user ID in the settings before the first approval; who it is then comes from the sign-in itself.

        departmentId is only there when reports by department are switched on. Its token has blanks and
        semicolons that must stay.
    """),
    production=steps("""
        In Epic take the production client IDs, and build the records in production: launch URLs hold the
        connection's ID, so a record of the test environment never fits.

        Bind the backend app to an Epic user record in production, too.
    """),
    mistakes=(
        Mistake(
            "token-unresolved",
            "A token of the context string is not filled",
            (
                "A launch ends with visit-invalid, because the visit's ID still holds percent signs, "
                "or with visit-missing."
            ),
            (
                "Compare the mnemonic CONTEXT with the integration record. If it is the same, your version "
                "does not know the token: check it in your documentation."
            ),
            ("visit-invalid", "visit-missing"),
        ),
        Mistake(
            "backend-user",
            "The backend app has no Epic user record",
            "Visits work, but the check Token for the write-back fails.",
            ("Bind the backend app's client ID to an Epic user record in this environment."),
            (),
        ),
    ),
)
