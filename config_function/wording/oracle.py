"""Oracle Health: applications of the code Console, opened from PowerChart.

Sources: ehr.md 3.1; Oracle Health, SMART developer overview (domains, roles, access points) and Millennium
authorization framework (system accounts).
"""

from config_function.wording.table import OPTIONAL_VIEW, Mistake, Wording, steps

ORACLE = Wording(
    record="SMART application in PowerChart or in the portal",
    window=(
        "A window of its own. PowerChart may show the page inside its own window; one click "
        "there opens the visit in a window of its own."
    ),
    audiences={
        "provider": "Provider",
        "patient": "Patient",
        "backend": "System",
    },
    form={
        "audience": "Application Type",
        "redirect_uri": "Redirect URI",
        "launch_url": "SMART Launch URI",
        "jwks_url": "System Account",
    },
    at_hand=steps("""
        A Cerner Care account for the code Console, and for System Accounts in Cerner Central.

        Somebody who may enable applications in your Millennium domain, and decide who may open them.

        The FHIR base URL of the domain. It ends in /r4/ and the ID of your tenant.
    """),
    register=steps("""
        Request a system account in Cerner Central for each client that authenticates with keys or a secret,
        and give it the JWKS URL of the sheet. Requests are looked at by people and can take some days.

        In the code Console register one application for each client of the sheet, with the Application Type
        that the sheet names and the ID of its system account.

        Enter SMART Launch URI and Redirect URI exactly as the sheet says, choose FHIR R4, and add the
        scopes of the sheet. Offline access is not needed.

        The sheet writes scopes as SMART v1 does (.read, .write). Which SMART version fits your domain,
        check in your documentation: it cannot be changed once an application is registered.

        The backend application needs scopes to read and to write appointments: Antesala reads an
        appointment's status before it moves it, and leaves one alone that people have set to something
        else. Without write-back there is no backend application on the sheet.

        Have the application validated by Oracle Health and enabled in your domain, for the users and roles
        that are to have it. Test and production are domains of their own.
    """),
    build=steps("""
        Add the application as a SMART application, started by its registered SMART Launch URI. A plain link
        with Millennium variables in it carries neither iss nor launch, and opens nothing.

        Allow it for the users and roles that hold video visits.

        An application has one SMART Launch URI, that of its visit. Whether your domain can start the same
        application at another address, check in your documentation; without the optional records visits
        work all the same.
    """),
    attach={
        "provider-visit": (
            "Place it where clinicians open their visits: the table of contents of PowerChart, "
            "the Organizer, or an MPages component."
        ),
        "patient-visit": (
            "Place it in HealtheLife, or in another portal that starts SMART applications. A link "
            "in a text message or e-mail carries no launch, and opens nothing."
        ),
        "provider-view": OPTIONAL_VIEW,
        "patient-device-test": (
            "Optional: a second entry beside the first, for patients who want to try camera and "
            "microphone before the visit."
        ),
    },
    context=steps("""
        There is no context string. PowerChart names patient and encounter by itself, and Antesala reads the
        encounter's appointment with the user's own token; that is what the scopes for Encounter and
        Appointment are for.

        Visits with several patients cannot be told apart without a context string, so there are no records
        for group visits.
    """),
    production=steps("""
        Have the applications enabled in the production domain, and add them there as well.

        The FHIR base URL of production has another host or another tenant ID. Compare it with the one that
        the production domain launches with.
    """),
    mistakes=(
        Mistake(
            "plain-link",
            "The application is built as a plain link",
            "A launch ends with launch-incomplete, because iss and launch are missing.",
            ("Build it as a SMART application that is started by its registered SMART Launch URI."),
            ("launch-incomplete",),
        ),
        Mistake(
            "appointment-unwritable",
            "The backend application may not write appointments",
            "Visits work, but write-backs are parked with status 403.",
            (
                "Give the backend application the scopes of the sheet, and have it enabled in your domain "
                "again. Then send the parked write-backs once more."
            ),
            (),
        ),
    ),
)
