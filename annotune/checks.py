"""One check for each part of a deployment. The detail of a check that failed says what to do."""

from collections.abc import Callable
from contextlib import closing

from annotune.chat import ChatRequest, Message
from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, LabelStudioUnreachable, NotFound, StoreUnavailable
from annotune.label_studio.health import check_reachable
from annotune.models import ModelRef, ServerName, restore_command
from annotune.servers.base import ModelServer
from annotune.servers.ollama import OllamaClient
from annotune.servers.pool import Servers, capabilities_of
from annotune.serving import Serving
from annotune.settings import Settings
from annotune.store.store import Store
from annotune.store.workers import Check

CHECK_S = 10.0
FIRST_ANSWER_S = 90.0  # it loads the model
PING = (Message("user", "Hello"),)


def check_redis(store: Store) -> Check:
    """Does Redis answer and take what is written?"""
    try:
        store.probe()
    except StoreUnavailable as error:
        return Check(part="Redis", ok=False, detail=str(error))
    return Check(part="Redis", ok=True, detail="answers")


def check_server(servers: Callable[[ServerName], ModelServer], name: ServerName, deadline: Deadline) -> Check:
    """Does a model server answer? No model is asked."""
    try:
        server = servers(name)
        server.check(deadline)
    except AnnotuneError as error:
        return Check(part=name, ok=False, detail=str(error))
    return Check(part=name, ok=True, detail=f"answers at {server.url}")


def check_model(settings: Settings, serving: Serving) -> Check:
    """Does the model answer a short question? An API that costs money is only checked for an answer of its server."""
    ref = serving.ref
    try:
        with closing(Servers(settings)) as servers:
            server = servers.get(ref.server)
            server.check(Deadline.after(CHECK_S))
            if not server.capabilities.free:
                return Check(part="model", ok=True, detail=f"{ref}: its server answers")
            request = ChatRequest.greedy(ref.model, PING, num_ctx=ref.num_ctx or serving.options.num_ctx, max_tokens=1)
            server.chat(request, Deadline.after(FIRST_ANSWER_S))
    except AnnotuneError as error:
        return Check(part="model", ok=False, detail=f"{ref} does not answer: {error}")
    return Check(part="model", ok=True, detail=f"{ref} answers")


def require_model(settings: Settings, ref: ModelRef, deadline: Deadline) -> None:
    """Return if a model's server answers and has the model. Only Ollama can tell which models it has.

    Raises:
        NotFound: the server does not have the model.
        ModelServerError, ConfigurationError: the server does not answer, or is not configured.
    """
    with closing(Servers(settings)) as servers:
        servers.get(ref.server).check(deadline)
    if capabilities_of(ref.server).registry:
        with closing(OllamaClient(settings.ollama_url)) as server:
            if server.registry.show(ref.model) is None:
                command = restore_command(ref.model)
                raise NotFound(f"Ollama at {server.url} has no model {ref.model!r}: run '{command}', or choose another")


def check_label_studio(settings: Settings, deadline: Deadline) -> Check:
    """Does Label Studio answer, and is a key set? The key is not sent."""
    needed = {"LABEL_STUDIO_URL": settings.label_studio_url, "LABEL_STUDIO_API_KEY": settings.label_studio_api_key}
    unset = [name for name, value in needed.items() if value is None]
    if unset:
        detail = f"{' and '.join(unset)} not set: predictions work, training does not"
        return Check(part="Label Studio", ok=False, detail=detail)
    try:
        check_reachable(str(settings.label_studio_url), deadline)
    except LabelStudioUnreachable as error:
        return Check(part="Label Studio", ok=False, detail=str(error))
    return Check(part="Label Studio", ok=True, detail="answers, and a key is set")


def check_worker(store: Store) -> Check:
    """Is a worker alive? Raises StoreUnavailable."""
    if store.workers.alive():
        return Check(part="worker", ok=True, detail="alive")
    return Check(part="worker", ok=False, detail="none is alive, so nothing is learnt: run 'annotune worker'")
