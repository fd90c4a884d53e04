"""Number of processor threads."""


def use_threads(number: int | None) -> None:
    """Let torch and the kernels use so many threads; None leaves their number as it is."""
    if number is None:
        return
    import torch

    torch.set_num_threads(number)
