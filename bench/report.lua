-- Prints what wrk measured as one line of JSON. Defines no request(): wrk then sends one prepared
-- request over and over, which costs the load's core nothing.
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'report: {"requests": %d, "duration_us": %d, "bad_statuses": %d, "socket_errors": %d, "p50_us": %d, "p99_us": %d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
