"""One bare function."""

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.function_name("bare")
@app.route("bare", methods=["GET"])
def bare(req: func.HttpRequest) -> func.HttpResponse:
    """Says that it is there."""
    return func.HttpResponse(status_code=204 if req.method == "GET" else 404)
