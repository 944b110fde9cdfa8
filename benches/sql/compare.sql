-- One line: medians over the rounds. Distances of unit vectors are at most 2, and both extensions sum up in single
-- precision.
WITH measured AS (
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY touch) AS touch,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY nothing) AS nothing,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY reading) AS reading,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY ours) AS ours,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs) AS theirs,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY ours / theirs) AS ratio,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY nothing / theirs) AS least,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY reading / theirs) AS floor,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY (ours - nothing) / nullif(theirs - nothing, 0)) AS net_ratio,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY (ours - nothing) / nullif(reading - nothing, 0)) AS above_floor,
         count(*) AS rounds
  FROM bench.compare(:seconds)
), checked AS (
  SELECT bench.largest_difference() AS difference
)
SELECT to_char(touch, '99990'), to_char(nothing, '99990'), to_char(reading, '99990'), to_char(ours, '99990'), to_char(theirs, '99990'),
       to_char(ratio, '90.00'), to_char(least, '90.00'), to_char(floor, '90.00'), to_char(net_ratio, '90.00'), to_char(above_floor, '90.00'),
       rounds, to_char(difference, '9.9EEEE'), difference <= 1e-5 AS agrees
FROM measured, checked;
