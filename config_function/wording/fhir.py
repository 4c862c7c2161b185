"""Any other EHR with FHIR R4 and SMART App Launch, in the standard's own words (ehr.md 1.1 to 1.6)."""

from config_function.wording.table import OPTIONAL_VIEW, OWN_WINDOW, Mistake, Wording, steps

FHIR = Wording(
    record="SMART app launch",
    window=OWN_WINDOW,
    audiences={},
    form={
        "redirect_uri": "redirect_uris",
        "jwks_url": "jwks_uri",
        "scopes": "scope",
        "launch_url": "launch URL",
    },
    at_hand=steps("""
        Access to the place where your EHR registers apps, and its documentation of SMART launches.

        An EHR that starts apps by SMART App Launch (EHR launch) and says who signed in (openid, fhirUser).

        The FHIR base URL of the environment. /metadata after it shows FHIR version 4.0.1.
    """),
    register=steps("""
        Register one client for each of the sheet, as a confidential client with private_key_jwt where your
        EHR offers it. Clinicians and patients need a client each.

        Enter launch URL, redirect URIs, JWKS URL and scopes exactly as the sheet says.

        If your EHR takes a key set as a file only, save what the JWKS URL shows, and bring it up to date
        whenever keys change.

        How long a new client takes to work, check in your documentation.
    """),
    build=steps("""
        Configure an EHR launch (SMART App Launch 2.2) at the launch URL. The EHR adds iss and launch
        itself; a plain link opens nothing.

        Have it start from a visit, so that the launch names the appointment or the encounter.

        Let it open in a window or tab of its own where your EHR lets you choose.
    """),
    attach={
        "provider-visit": "Place it where clinicians open a visit of their schedule.",
        "patient-visit": "Place it in the patient portal, beside the appointment.",
        "provider-view": OPTIONAL_VIEW,
        "patient-device-test": (
            "Optional: a second entry in the patient portal, for patients who want to try camera "
            "and microphone before the visit."
        ),
    },
    context=steps("""
        There is no context string. The launch names the visit in a standard place: an Appointment in
        fhirContext, or the encounter.

        Where your EHR names it in a member of its own, enter that member in the settings before the first
        approval: how a visit is named cannot change afterwards.

        Visits with several patients cannot be told apart without a context string, so there are no records
        for group visits.
    """),
    production=steps("""
        Register the clients and configure the launches in production in the same way.
    """),
    mistakes=(
        Mistake(
            "no-visit",
            "The launch does not start from a visit",
            "A launch ends with visit-missing.",
            (
                "Start it from an appointment or encounter; a launch from the patient's chart alone "
                "names none."
            ),
            ("visit-missing",),
        ),
    ),
)
