"""The known differences between the embedded server and the recorded Ollama, with their reasons.

The cases here are not asked of the embedded server. A real Ollama is asked them, but for those in NEEDS_MORE.
"""

GO_TEMPLATES = "The GGUF's own Jinja template is always used: a Go TEMPLATE is refused at create, as nobody runs it."
DETECTION = (
    "No built-in Go template replaces a Jinja template that resembles it: what the model was trained on is served, "
    "here with its default system text."
)
STALE_RUNNER = "The recorded answer came through a runner that a Go TEMPLATE had been loaded into."
TRUNCATION = "An over-long prompt is refused as with `truncate: false`; its oldest messages never vanish in silence."
PULLING = "Nothing is fetched from elsewhere: a model is registered from a GGUF or from another model here."
QUANTIZE = "llama-quantize is not at hand: the trainer quantises before it uploads."

DIFFERENCES = {
    "create-bad-template": GO_TEMPLATES,
    "create-template-explicit": GO_TEMPLATES,
    "render-template-explicit": GO_TEMPLATES,
    "chat-template-explicit": GO_TEMPLATES,
    "render-template-own": DETECTION,
    "chat-template-own": DETECTION,
    "render-template-near": DETECTION,
    "chat-template-near": DETECTION,
    "chat-pad-after-explicit": STALE_RUNNER,
    "generate-jinja": STALE_RUNNER,
    "render-messages": STALE_RUNNER,
    "chat-overlong-default": TRUNCATION,
    "chat-overlong-old-dropped": TRUNCATION,
    "create-from-unknown": PULLING,
    "create-quantize": QUANTIZE,
}

NO_NETWORK = "The recorded Ollama could reach no registry; another's answer depends on its network."
NO_F16 = "Needs the F16 GGUF of the recording, which no package holds."

NEEDS_MORE = {"create-from-unknown": NO_NETWORK, "create-quantize": NO_F16}
