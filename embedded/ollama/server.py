"""The ASGI application: Ollama's routes over a registry and a pool."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from embedded.ollama import chat, models_api, openai_api
from embedded.ollama.answers import ApiError
from embedded.ollama.pool import Pool

# The version of Ollama whose recorded answers this server is tested against.
VERSION = "0.33.0"

PLAIN_ERRORS = {404: "404 page not found", 405: "405 method not allowed"}


class CancelOnDisconnect:
    """Cancels a request when its client closes the connection, so that no model generates for nobody."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        messages: asyncio.Queue[Message] = asyncio.Queue(maxsize=4)
        disconnected = asyncio.create_task(_pump(receive, messages))
        work = asyncio.create_task(_run(self.app, scope, messages, send))
        try:
            await asyncio.wait({disconnected, work}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (disconnected, work):
                task.cancel()
            await asyncio.wait({disconnected, work})
        if not work.cancelled():
            work.result()


async def _run(app: ASGIApp, scope: Scope, messages: asyncio.Queue[Message], send: Send) -> None:
    await app(scope, messages.get, send)


async def _pump(receive: Receive, messages: asyncio.Queue[Message]) -> None:
    """Pass messages on until the client disconnects."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        await messages.put(message)


class Api:
    """One method for each route; they call the modules that do the work."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.registry = pool.registry

    async def root(self, _request: Request) -> Response:
        return PlainTextResponse("Ollama is running")

    async def version(self, _request: Request) -> Response:
        return JSONResponse({"version": VERSION})

    async def tags(self, _request: Request) -> Response:
        return models_api.tags(self.registry)

    async def loaded(self, _request: Request) -> Response:
        return models_api.loaded_models(self.pool)

    async def blob_exists(self, request: Request) -> Response:
        return models_api.blob_exists(self.registry, request.path_params["digest"])

    async def upload_blob(self, request: Request) -> Response:
        return await models_api.upload_blob(self.registry, request.path_params["digest"], request)

    async def create(self, request: Request) -> Response:
        return await models_api.create(self.registry, request)

    async def show(self, request: Request) -> Response:
        return await models_api.show(self.registry, request)

    async def copy(self, request: Request) -> Response:
        return await models_api.copy(self.registry, request)

    async def delete(self, request: Request) -> Response:
        return await models_api.delete(self.registry, request)

    async def chat(self, request: Request) -> Response:
        return await chat.chat(self.pool, request)

    async def generate(self, request: Request) -> Response:
        return await chat.generate(self.pool, request)

    async def v1_models(self, _request: Request) -> Response:
        return openai_api.list_models(self.registry)

    async def v1_model(self, request: Request) -> Response:
        return openai_api.show_model(self.registry, request.path_params["name"])

    async def v1_chat(self, request: Request) -> Response:
        return await openai_api.chat_completions(self.pool, request)

    def routes(self) -> list[Route]:
        return [
            Route("/", self.root),
            Route("/api/version", self.version),
            Route("/api/tags", self.tags),
            Route("/api/ps", self.loaded),
            Route("/api/blobs/{digest}", self.blob_exists, methods=["HEAD"]),
            Route("/api/blobs/{digest}", self.upload_blob, methods=["POST"]),
            Route("/api/create", self.create, methods=["POST"]),
            Route("/api/show", self.show, methods=["POST"]),
            Route("/api/copy", self.copy, methods=["POST"]),
            Route("/api/delete", self.delete, methods=["DELETE"]),
            Route("/api/chat", self.chat, methods=["POST"]),
            Route("/api/generate", self.generate, methods=["POST"]),
            Route("/v1/models", self.v1_models),
            Route("/v1/models/{name}", self.v1_model),
            Route("/v1/chat/completions", self.v1_chat, methods=["POST"]),
        ]


def application(pool: Pool) -> ASGIApp:
    """The application. It unloads all models when it stops."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await pool.close()

    handlers = {ApiError: _api_error, HTTPException: _plain_error}
    app = Starlette(routes=Api(pool).routes(), lifespan=lifespan, exception_handlers=handlers)
    return CancelOnDisconnect(app)


def _api_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return openai_api.error_response(error) if request.url.path.startswith("/v1/") else error.response()


def _plain_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    text = PLAIN_ERRORS.get(error.status_code, error.detail)
    return PlainTextResponse(text, error.status_code, error.headers)
