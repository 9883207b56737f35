"""What of the environment a script of the trainer is given: by name, since a base's code and libraries run there.

Never a key of ours: the scripts talk to no server but the hub, and read their job from a file.
"""

import os
from collections.abc import Mapping

NAMES = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_CACHE_HOME"}
    | {"LD_LIBRARY_PATH", "CC", "CXX"}
    # A way to the hub, as requests and httpx read it, in either case.
    | {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
)
PREFIXES = (
    *("LC_", "HF_", "HUGGINGFACE_", "TRANSFORMERS_", "TOKENIZERS_"),
    *("CUDA_", "NVIDIA_", "NCCL_", "OMP_", "MKL_", "OPENBLAS_", "KMP_"),
    *("TORCH", "PYTORCH_", "TRITON_", "UNSLOTH_", "BNB_", "GGML_"),
)
"""Of the libraries that train. `HF_TOKEN` is among them: a gated base needs it."""


def for_scripts(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Those of the variables that a script may have."""
    return {name: value for name, value in environment.items() if name in NAMES or name.startswith(PREFIXES)}
