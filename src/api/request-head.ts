/** Headers of the relay that carry CNI variables, and the variables. */
const CNI_HEADERS: Readonly<Record<string, string>> = {
  'cni-command': 'CNI_COMMAND',
  'cni-containerid': 'CNI_CONTAINERID',
  'cni-netns': 'CNI_NETNS',
  'cni-ifname': 'CNI_IFNAME',
  'cni-args': 'CNI_ARGS',
  'cni-path': 'CNI_PATH',
  'cni-netns-override': 'CNI_NETNS_OVERRIDE',
};

const PATH_PREFIX = '/cni/';

/** The plugin that a request line names, or undefined for another path. */
export function pluginOf(url: string): string | undefined {
  if (!url.startsWith(PATH_PREFIX)) return undefined;
  return decode(url.slice(PATH_PREFIX.length));
}

/** The CNI variables of a request; undefined when a value is not percent-encoded UTF-8. */
export function environmentOf(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): Readonly<Record<string, string>> | undefined {
  const environment: Record<string, string> = {};
  for (const [header, variable] of Object.entries(CNI_HEADERS)) {
    const raw = headers[header];
    if (raw === undefined) continue;
    const value = typeof raw === 'string' ? decode(raw) : undefined;
    if (value === undefined) return undefined;
    environment[variable] = value;
  }
  return environment;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
