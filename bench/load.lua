-- What wrk sends, and what it says of it in one line of JSON. Environment, all optional:
--
--   BENCH_TOKENS    a file with one token per line, taken in turn
--   BENCH_ONCE      set: each token is used once; when there are none left the run has failed
--   BENCH_BODY      bytes of a request body: POST instead of GET
--   BENCH_DELAY_MS  how long a connection waits on average after an answer: a load below the peak
--
-- Without tokens and a delay no request() is defined: wrk then sends one prepared request over and
-- over, which costs the load's core nothing.

local file = os.getenv("BENCH_TOKENS")
local body = tonumber(os.getenv("BENCH_BODY") or "0")
local pause = tonumber(os.getenv("BENCH_DELAY_MS") or "0")
local heads, used = {}, 0

if body > 0 then
  wrk.method = "POST"
  wrk.body = string.rep("x", body)
end

if file then
  function init(arguments)
    for token in io.lines(file) do
      heads[#heads + 1] = wrk.format(nil, nil, {
        ["Authorization"] = "Bearer " .. token,
        ["Host"] = wrk.headers["Host"],
      })
    end
  end

  function request()
    used = used + 1
    if used > #heads and os.getenv("BENCH_ONCE") then
      io.stderr:write("no token is left\n")
      os.exit(1)
    end
    return heads[(used - 1) % #heads + 1]
  end
end

if pause > 0 then
  function delay()
    return math.random(0, 2 * pause)
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'report: {"requests": %d, "duration_us": %d, "bad_statuses": %d, "socket_errors": %d, "p50_us": %d, "p99_us": %d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
