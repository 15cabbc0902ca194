"""What a stage costs: memory and time from the shape of a model, the settings of the stage and the device."""
