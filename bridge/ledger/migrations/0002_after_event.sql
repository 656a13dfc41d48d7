-- An event that was there before the attempt began: it tells the attempt's time by the ACD's own clock, whatever ours shows.
ALTER TABLE attempts ADD COLUMN after_event INTEGER;
