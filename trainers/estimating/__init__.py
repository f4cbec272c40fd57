"""The exact memory estimate: the real model and trainer take a step with tensors that hold nothing.

``report`` is torch-free and reads what ``python -m luthier.trainers.estimating`` says; every
other module loads torch and the training libraries.
"""
