// Python's strftime in the C locale, for the `strftime_now` of chat templates.

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** The date in local time by Python's format codes; a code that is unknown here stays as it is. */
export function formatTime(date: Date, format: string): string {
  const month = MONTHS[date.getMonth()]!;
  const day = DAYS[date.getDay()]!;
  const hour12 = date.getHours() % 12 === 0 ? 12 : date.getHours() % 12;
  const midnight = new Date(date.getFullYear(), date.getMonth(), date.getDate());
  const dayOfYear = Math.round((midnight.getTime() - new Date(date.getFullYear(), 0, 1).getTime()) / 86_400_000) + 1;
  const codes: Readonly<Record<string, string>> = {
    Y: String(date.getFullYear()),
    y: pad(date.getFullYear() % 100, 2),
    m: pad(date.getMonth() + 1, 2),
    B: month,
    b: month.slice(0, 3),
    d: pad(date.getDate(), 2),
    e: String(date.getDate()).padStart(2, " "),
    j: pad(dayOfYear, 3),
    A: day,
    a: day.slice(0, 3),
    w: String(date.getDay()),
    H: pad(date.getHours(), 2),
    I: pad(hour12, 2),
    p: date.getHours() < 12 ? "AM" : "PM",
    M: pad(date.getMinutes(), 2),
    S: pad(date.getSeconds(), 2),
    "%": "%",
  };
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, bare: string, code: string) => {
    const text = codes[code];
    if (text === undefined) return whole;
    return bare === "" ? text : text.replace(/^0+(?=\d)/, "");
  });
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, "0");
}
