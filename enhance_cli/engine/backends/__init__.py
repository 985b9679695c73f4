"""What computes a network: torch as it is, or ncnn from a graph that is written down from the running module.

trace -> fold -> ncnn_model -> ncnn_backend; compare tells whether the result agrees and pays, verdicts
remembers it, and choice takes one for a run.
"""
