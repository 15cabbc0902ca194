"""How weights are trained: plain torch, or DeepSpeed ZeRO."""
