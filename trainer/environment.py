"""The environment variables that the trainer's scripts get.

They are allowed by name, since the code of a base and of its libraries runs there. None of them is a key of ours: the
scripts talk to no server but the hub, and read their job from a file.
"""

import os
from collections.abc import Mapping

NAMES = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_CACHE_HOME"}
    | {"LD_LIBRARY_PATH", "CC", "CXX"}
    # Proxies and certificates on the way to the hub; requests and httpx read both cases.
    | {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
)
PREFIXES = (
    *("LC_", "HF_", "HUGGINGFACE_", "TRANSFORMERS_", "TOKENIZERS_"),
    *("CUDA_", "NVIDIA_", "NCCL_", "OMP_", "MKL_", "OPENBLAS_", "KMP_"),
    *("TORCH", "PYTORCH_", "TRITON_", "UNSLOTH_", "BNB_", "GGML_"),
)
"""Of the libraries that train. `HF_TOKEN` is among them: a gated base needs it."""


def script_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of `environment` that a script may have."""
    return {name: value for name, value in environment.items() if name in NAMES or name.startswith(PREFIXES)}
