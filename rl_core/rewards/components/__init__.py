"""Parts of rewards: each file holds those of one project, with its presets. Nothing lists the files."""
