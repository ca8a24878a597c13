/** A length of time in milliseconds. */
export type Duration = number & { readonly __brand: 'Duration' };

/** A point in time, milliseconds on CLOCK_BOOTTIME: it goes on in suspend and no wall clock moves it. */
export type Instant = number & { readonly __brand: 'Instant' };

export function millis(n: number): Duration {
  return n as Duration;
}

export function seconds(n: number): Duration {
  return (n * 1000) as Duration;
}

export function instant(ms: number): Instant {
  return ms as Instant;
}

export function later(at: Instant, by: Duration): Instant {
  return (at + by) as Instant;
}

/** The next multiple of `grain`, so that what may be late shares a wake-up. */
export function onGrain(at: Instant, grain: Duration): Instant {
  return (Math.ceil(at / grain) * grain) as Instant;
}

/** How long from `a` to `b`; negative when `b` is the earlier. */
export function between(a: Instant, b: Instant): Duration {
  return (b - a) as Duration;
}

export function earliest(first: Instant, ...others: readonly Instant[]): Instant {
  return Math.min(first, ...others) as Instant;
}

/** "250 ms", "4 s", "2 h 5 min": for people, so at most two units. */
export function formatDuration(duration: Duration): string {
  const rounded = Math.round(duration);
  if (rounded < 1000) return `${rounded} ms`;
  const total = Math.round(duration / 1000);
  const units: readonly (readonly [number, string])[] = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ];
  const parts: string[] = [];
  let rest = total;
  for (const [size, name] of units) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count} ${name}`);
    rest -= count * size;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}
