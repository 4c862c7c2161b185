"""The function app: one FunctionApp, four blueprints, nothing else."""

import azure.functions as func

from shared.starting import uncollected

with uncollected():
    from config_function.blueprint import bp as config
    from launch_patient.blueprint import bp as patient
    from launch_provider.blueprint import bp as provider
    from writeback_function.blueprint import bp as writeback

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    for blueprint in (config, provider, patient, writeback):
        app.register_functions(blueprint)
