-- What did it cost? Tokens written and device hours by stage.
-- run = %: an experiment
SELECT experiment, stage, kind, responses, response_tokens, round(seconds / 60, 1) AS minutes, devices, round(device_hours, 3) AS device_hours
FROM cost
WHERE experiment LIKE $run
ORDER BY experiment, position;
