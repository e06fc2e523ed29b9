"""Opens model folders that dev.recurrent saved with the upstream Python libraries.

    bin/recurrent save -m griffin -o DIR --expected
    python src/test/python/open_saved.py DIR...

Each folder holds config.json, model.safetensors and an expected.safetensors with input_ids and the
logits that dev.recurrent computed. Prints the largest relative error of the logits that transformers
(RecurrentGemma, Mamba-2, Qwen3.5, OLMo-Hybrid) or flash-linear-attention (DeltaNet, Gated DeltaNet;
needs a CUDA device) computes from the same folder, and exits with 1 if one is above 1e-4.
"""

import json
import sys

import torch
from safetensors.torch import load_file

TOLERANCE = 1e-4
FLA = {"delta_net", "gated_deltanet"}


def attention(q, k, v, causal=True, window_size=(-1, -1), **_):
    """Stands in for flash_attn_func, which does not know float32."""
    groups = q.shape[2] // k.shape[2]
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    k, v = (x.repeat_interleave(groups, dim=1) for x in (k, v))
    distance = torch.arange(q.shape[2], device=q.device)[:, None] - torch.arange(k.shape[2], device=q.device)
    seen = distance >= 0
    if window_size[0] >= 0:
        seen &= distance <= window_size[0]
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(1, 2)


def untie(models):
    """Newer transformers want what is tied as a dict where flash-linear-attention has a list."""
    for name in ("DeltaNetForCausalLM", "GatedDeltaNetForCausalLM"):
        model = getattr(models, name)
        if isinstance(getattr(model, "_tied_weights_keys", None), list):
            model._tied_weights_keys = {"lm_head.weight": "model.embeddings.weight"}


def load(folder, model_type):
    from transformers import AutoModelForCausalLM

    if model_type in FLA:
        import fla  # noqa: F401  (registers the models)
        import fla.layers.attn
        import fla.models

        fla.layers.attn.flash_attn_func = attention
        untie(fla.models)
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    problems = {k: list(v) for k, v in info.items() if v and k != "error_msgs"}
    if problems:
        raise SystemExit(f"{folder}: {problems}")
    return model.eval()


def set_window(model):
    """transformers attends to W keys where the original implementation means W + 1."""
    if model.config.model_type == "recurrent_gemma":
        model.config.attention_window_size += 1


def main(folders):
    torch.backends.cuda.matmul.allow_tf32 = False
    worst = 0.0
    for folder in folders:
        with open(f"{folder}/config.json") as file:
            config = json.load(file)
        model_type = config["model_type"]
        device = "cuda" if model_type in FLA else "cpu"
        model = load(folder, model_type).to(device)
        set_window(model)
        expected = load_file(f"{folder}/expected.safetensors")
        ids = expected["input_ids"].to(device)
        with torch.no_grad():
            logits = model(ids, use_cache=False).logits.float().cpu()
        ours = expected["logits"]
        error = ((logits - ours).abs().max() / logits.abs().max()).item()
        worst = max(worst, error)
        print(f"{model_type:20s} {folder:40s} {tuple(ids.shape)} {error:.2e}")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
