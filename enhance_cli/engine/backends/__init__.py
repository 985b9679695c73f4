"""What computes a network: torch as it is, or another runtime from a graph written down from the module.

trace -> fold -> ncnn_model or openvino_model -> converted; compare tells whether the result agrees and how
fast it is, verdicts remembers it, and choice takes one of the candidates for a run.
"""
