"""What is in a model file, told before it is opened. Nothing here imports what a file names, and nothing loads torch.

`scan` looks at one file: its verdict with evidence (`scan_file`), or an error where it is not clean (`vouched`).
`kinds` tells what a file is, by content, and who looks at it: `pickles`, `archives`, `tars`, `arrays`, `compressed`,
`safetensors_header`, `onnx`, `keras`, `script`. `machine` is a pickle machine that runs nothing; `names` and `calls`
are its allow-list. `state` gives the tensors of a state dict as claims, `convert` writes them as safetensors.
`trust` reads digest lists and checks signatures; `second_opinion` asks picklescan.
"""
