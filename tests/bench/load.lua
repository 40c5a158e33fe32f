-- Asks one query again and again: STUDY becomes each study in turn, NUMBER another number each time.
local path, studies, number

function init(args)
  path, number, studies = args[1], tonumber(args[2]), {}
  for slug in io.lines(args[3]) do studies[#studies + 1] = slug end
end

function request()
  number = number + 1
  local target = path:gsub("STUDY", studies[number % #studies + 1]):gsub("NUMBER", tostring(number))
  return wrk.format("GET", target)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
