// Every text of the desk, in English only: its readers also read the specification.
import type { ChecksPlan, TicketName, TicketState } from '../generated/view';
import type { KeyboardPage } from './keyboard/keyboard-layout';
import type { Section } from './sections';

const joinWithAnd = (words: string[]) => new Intl.ListFormat('en-GB').format(words);
const joinWithOr = (words: string[]) => new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(words);
const grouped = (count: number) => count.toLocaleString('en-GB');
const plural = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

const capitalized = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

/** The name of a ticket in English, as in `Blue Comet`. */
export const ticketNameInEnglish = ({ colour, symbol }: TicketName) =>
  `${capitalized(colour)} ${capitalized(symbol)}`;

export const SECTION_NAMES: Record<Section, string> = {
  backend: 'Backend',
  credentials: 'Credentials',
  sandbox: 'Sandbox',
  display: 'Display',
  lanes: 'Lanes',
  retention: 'Retention',
  history: 'History',
  health: 'Health',
  access: 'PIN and quit',
  inspector: 'Inspector',
  checks: 'Checks',
};

export const SECTION_DESCRIPTIONS: Record<Section, string> = {
  backend:
    'The backend for visits. A change applies from the next visit on; visits in progress are not affected.',
  credentials:
    'The credentials that the profile in use needs. Values are saved to the keychain and never shown again.',
  sandbox: 'The behaviour and the faults of the simulated backend.',
  display: 'Appearance and language of the window. Changes apply at once.',
  lanes: 'Visits that continue in the background, so that the next visitor can start.',
  retention: 'How long the files of a visit are kept on this machine.',
  history: 'Past visits, newest first.',
  health: 'Everything this booth depends on.',
  access: 'Who may open this panel, and how to quit.',
  inspector: '',
  checks: '',
};

export const messages = {
  brand: 'Copresence kiosk',
  operator: 'Operator',
  integrator: 'Integrator',
  waking: 'Waiting for the program.',
  lost: 'The program is not responding.',
  again: 'Try again',
  leave: 'Lock and leave',
  cancel: 'Cancel',
  working: 'Working…',
  theme: { light: 'Light colours', dark: 'Dark colours' },
  live: (count: number) => `${count === 0 ? 'No visit' : plural(count, 'visit')} in progress`,
  sandboxTag: 'sandbox',
  sections: 'Sections',

  keyboard: {
    name: 'On-screen keyboard',
    page: { letters: 'abc', accents: 'äéñ', symbols: '@#?' } as Record<KeyboardPage, string>,
    shift: 'Shift',
    space: 'Space',
    delete: 'Delete',
    enter: 'Enter',
    newLine: 'New line',
    hide: 'Hide',
  },

  pad: {
    enter: 'Enter the PIN',
    choose: 'Choose a PIN',
    repeat: 'Repeat the PIN',
    chooseAbout:
      'Opens this panel from now on. At least four digits, so that it can be entered by touch and gamepad.',
    noPin: 'No PIN is set',
    late: 'In kiosk mode, the first PIN can be chosen here only within ten minutes of the start. Stop the program and run `copresence-kiosk --set-pin` on this machine, or restart the program.',
    about: 'Staff only. A visit in progress continues.',
    field: (count: number) => `PIN, ${plural(count, 'digit')} entered`,
    wrong: 'Wrong PIN.',
    wait: (seconds: number) => `Try again in ${seconds} s.`,
    differ: 'The two PINs did not match. Choose again.',
    short: 'At least four digits.',
    delete: 'Delete',
    confirm: 'Enter',
    leave: 'Back to the stage',
  },

  backend: {
    profile: 'Profile',
    profiles: (file: string) => `Profiles are read from ${file}`,
    embedded: 'built into this program',
    used: (name: string) => `New visits use “${name}” from now on.`,
    phones: 'Phones on this network',
    phonesOn: 'Let in',
    phonesOff: 'Keep out',
    phonesAre: 'Phones can reach the sandbox at',
    phonesOut: 'Only this machine can reach the sandbox.',
    phonesReal: 'Phones connect to this backend directly.',
    letIn: 'Phones on this network are let in.',
    keptOut: 'Phones are kept out.',
    installation: 'This installation',
    data: 'Data folder',
    avatars: 'Avatars',
    version: 'Version',
  },

  credentials: {
    slot: {
      'api-key': 'API key',
      'session-token': 'Session token',
      username: 'User name',
      password: 'Password',
      'partner-key': 'Partner key',
    } as Record<string, string>,
    is: (ends: string | null) => (ends === null ? 'Set' : `Set, ends in …${ends}`),
    not: 'Not set',
    unknown: 'Not known: the keychain was not read',
    from: {
      keychain: 'keychain',
      environment: 'environment',
      'this run': 'this run only',
    } as Record<string, string>,
    environment: (name: string) =>
      `${name} takes precedence over the keychain; change it where the program is started.`,
    set: 'Set',
    replace: 'Replace',
    remove: 'Remove',
    value: (name: string) => `New value: ${name}`,
    send: 'Save to keychain',
    nothing: 'No value entered',
    nothingHint: 'Enter the value, or cancel',
    isSet: (name: string) => `${name} is set.`,
    isRemoved: (name: string) => `${name} was removed.`,
    ask: (name: string) => `Remove ${name.toLowerCase()}?`,
    askText: (profile: string) =>
      `It is removed from the keychain for the profile “${profile}”. Visits cannot start without the credentials that the profile needs.`,
    none: 'This profile needs no credentials.',
    retry: 'Try again',
    retried: 'The booth is open again with the credentials as they are now.',
    unlock: 'Unlock the keychain',
    unlocked: 'The keychain is unlocked.',
  },

  sandbox: {
    none: 'The backend in use is a real one and has no settings here. To use the sandbox, choose its profile under Backend.',
    scenario: 'Scenario',
    scenarioAbout: 'What happens to tokens from now on.',
    isScenario: (name: string) => `Tokens follow “${name}” from now on.`,
    speed: 'Speed',
    speedAbout: 'Simulated seconds per real second, 0.1 to 1000.',
    isSpeed: (speed: number) => `Time now runs at ${speed} times real time.`,
    unfit: (written: string) => `“${written}” is not a number`,
    other: 'Other speed',
    use: 'Use',
    faults: 'Faults',
    faultsNone: 'No faults active.',
    on: 'Endpoint',
    kind: 'Fault',
    next: 'For the next request',
    every: 'For every request',
    end: 'Remove all',
    added: (kind: string, on: string) => `“${kind}” is active on ${on}.`,
    ended: 'All faults were removed.',
    struck: (count: number) => (count === 0 ? 'not triggered yet' : `triggered ${plural(count, 'time')}`),
  },

  display: {
    kiosk: 'Kiosk mode',
    kioskAbout: 'Full screen and locked: only the PIN leaves the window.',
    on: 'On',
    off: 'Off',
    kioskFlag: 'On for this run because of `--kiosk`; not saved in the settings.',
    kioskFlagOff: 'Off for this run only: the program was started with `--kiosk`.',
    kioskKeep: 'Save to settings',
    kioskOn: 'Kiosk mode is on.',
    kioskOff: 'Kiosk mode is off.',
    monitor: 'Monitor',
    first: 'Primary',
    pixels: (width: number, height: number) => `${width} × ${height}`,
    unplugged: 'Not connected. The window is on the primary monitor until it is.',
    moved: 'The window moves to that monitor.',
    language: 'Language',
    languageAbout: 'The language for new visitors. Visitors can switch.',
    system: 'System language',
    spoken: 'New visitors see this language.',
    unwritten: (languages: string[]) =>
      `Not offered, because this machine has no font for: ${languages.join(', ')}. Install one (on Debian \`fonts-noto-cjk\`) and restart the program.`,
    idle: 'Ask “Still there?” after',
    idleAbout: 'Seconds without input while an avatar is shown, 15 to 3,600. Other screens scale with it.',
    idleUnfit: (written: string) => `“${written}” seconds cannot be used`,
    idleHint: 'Enter a whole number from 15 to 3,600',
    seconds: 'seconds',
    use: 'Use',
    isIdle: (seconds: number) => `Asks after ${seconds} seconds.`,
    hours: 'Opening hours',
    hoursAbout:
      'As in `Mon-Fri 09:00-18:00, Sat 10:00-16:00`, in this machine’s time zone. Outside of them the screen is dark. Empty for always.',
    hoursSet: (hours: string) => `Open ${hours}.`,
    hoursAlways: 'Always open.',
    awake: 'Keep the screen on',
    awakeAbout: 'In kiosk mode, within the opening hours.',
    awakeOn: 'The screen is kept on.',
    awakeOff: 'The screen may blank.',
    removed: 'Removed.',
    logo: 'Logo',
    logoAbout: 'A PNG of at most 2 MiB, light on a dark background.',
    logoSet: 'A logo is set.',
    logoNone: 'None.',
    choose: 'Choose a PNG',
    logoRemove: 'Remove',
    logoSaved: 'The logo is on the screen.',
    noPng: (name: string) => `“${name}” is not a PNG`,
    tooLarge: (name: string, size: string) => `“${name}” has ${size}`,
    pngHint: 'Choose a PNG of at most 2 MiB',
    sounds: 'Sounds',
    soundsAbout: 'Short quiet sounds for the focus, the buttons and the moments of a visit.',
    soundsOn: 'Sounds are on.',
    soundsOff: 'Sounds are off.',
    voice: 'Read aloud',
    voiceAbout: 'Screens are read aloud where there is a voice. The idle warning is always spoken.',
    voices: (languages: string[], of: number) => {
      if (languages.length === 0)
        return 'No voices on this machine: screens stay silent, and the idle warning is two soft notes.';
      return languages.length === of
        ? 'Voices on this machine: every language.'
        : `Voices on this machine: ${languages.join(', ')}. Elsewhere the idle warning is two soft notes.`;
    },
    voiceOn: 'Screens are read aloud.',
    voiceOff: 'Screens are not read aloud.',
  },

  texts: {
    choice: 'Texts in',
    choiceAbout: 'The language of the two texts below. One dot per existing text.',
    written: (which: string[]) => (which.length === 0 ? 'no text' : `${which.join(' and ')} written`),
    unsaved: 'not saved',
    attract_text: {
      name: 'Attract text',
      about: 'The line on the first screen.',
      none: 'No text in any language: visitors see the program’s own line.',
    },
    consent: {
      name: 'Consent text',
      about:
        'Shown before the QR code; visitors must agree. A text in one language applies to every visitor.',
      none: 'No text in any language: visitors are not asked.',
    },
    inLanguage: (name: string, language: string) => `${name} in ${language}`,
    everywhere: 'There is a text in every language.',
    fallBack: (missing: string[], instead: string) =>
      `Visitors who chose ${joinWithOr(missing)} see the ${instead} text.`,
    save: (languages: string[]) => (languages.length === 0 ? 'Save' : `Save in ${joinWithAnd(languages)}`),
    saved: (languages: string[]) =>
      languages.length === 0
        ? 'Saved; on the screen now.'
        : `Saved in ${joinWithAnd(languages)}; on the screen now.`,
    removed: (languages: string[]) =>
      languages.length === 0 ? 'Removed.' : `Removed in ${joinWithAnd(languages)}.`,
    count: (now: number, most: number) => `${grouped(now)} / ${grouped(most)}`,
    long: (language: string, most: number) =>
      `The ${language} text is longer than ${grouped(most)} characters`,
    longHint: 'Shorten it',
    leaveTitle: 'Leave without saving?',
    leaveText: (languages: string[]) =>
      `The texts in ${joinWithAnd(languages)} were changed and not saved. Visitors do not see the changes.`,
    discard: 'Discard and leave',
  },

  retention: {
    keep: 'Keep files',
    keepAbout: 'Counted from the end of the visit. The entry in History stays, without the portrait.',
    for: (hours: number | null) => {
      if (hours === null) return 'Forever';
      if (hours === 0) return 'Until the visitor leaves';
      if (hours % 24 === 0) return plural(hours / 24, 'day');
      return plural(hours, 'hour');
    },
    kept: (hours: number | null) => {
      if (hours === null) return 'Files are kept forever.';
      if (hours === 0) return 'Files are deleted when the visitor leaves the screen.';
      return `Files are kept for ${messages.retention.for(hours)}.`;
    },
    other: 'Other',
    hours: 'hours',
    use: 'Use',
    unfit: (written: string) => `“${written}” hours cannot be used`,
    unfitHint: 'Enter a whole number from 1 to 87,600',
    wipe: 'Wipe now',
    wipeAbout: (past: number) =>
      past === 0 ? 'There is nothing to wipe.' : `${plural(past, 'past visit')}, with all files.`,
    wipeNow: 'Wipe now…',
    ask: (past: number) => `Wipe ${plural(past, 'visit')}?`,
    askText: (live: number) =>
      `Every past visit is deleted: files, portraits and history. This cannot be undone.${
        live > 0 ? ` ${plural(live, 'visit')} in progress ${live === 1 ? 'is' : 'are'} not affected.` : ''
      }`,
    yes: (past: number) => `Wipe ${plural(past, 'visit')}`,
    wiped: (past: number) => `${plural(past, 'visit')} wiped.`,
  },

  lanes: {
    tickets: 'Tickets',
    ticketsAbout:
      'In the order of the first screen. Opening one shows its visit on the stage without the code.',
    none: 'No visit continues in the background.',
    off: 'Lanes are off: each visit keeps the screen until its avatar is saved.',
    state: {
      recording: 'The visitor records with the phone',
      making: 'Being made',
      ready: 'Ready',
      failed: 'Failed; the visitor learns why',
      closed: 'Closed',
    } as Record<TicketState, string>,
    since: (time: string) => `handed over at ${time}`,
    until: (time: string) => `expires at ${time}`,
    wrongCodes: (count: number) => plural(count, 'wrong code'),
    earlierOf: (name: string) => `Move ${name} up`,
    laterOf: (name: string) => `Move ${name} down`,
    moved: (name: string, place: number) => `${name} is in place ${place}.`,
    open: 'Open',
    openOf: (name: string) => `Open ${name} on the stage`,
    opened: (name: string) => `${name} is on the stage.`,
    forget: 'Forget',
    forgetOf: (name: string) => `Forget ${name}`,
    ask: (name: string) => `Forget ${name}?`,
    askText:
      'The visit is deleted with all files, also if its avatar is still being made. This cannot be undone.',
    forgotten: (name: string) => `${name} is forgotten.`,
    count: 'Number of lanes',
    countAbout: 'Visits that can continue at the same time. Tickets that exist already stay.',
    countName: (count: number) => (count === 0 ? 'Off' : String(count)),
    countSet: (count: number) => (count === 0 ? 'Lanes are off.' : `${plural(count, 'lane')}.`),
    automatic: 'Hand over automatically',
    automaticAbout: 'After so many seconds without input while the avatar is being made. A ring counts down.',
    automaticName: (seconds: number | null) => (seconds === null ? 'Only on request' : `${seconds} s`),
    automaticSet: (seconds: number | null) =>
      seconds === null
        ? 'Visits are handed over on request only.'
        : `Visits are handed over after ${seconds} s.`,
    expiry: 'Tickets expire after',
    expiryAbout:
      'Counted from the time when the avatar is ready. The files are then kept or deleted as Retention says.',
    expiryName: (minutes: number) =>
      minutes >= 60 && minutes % 60 === 0 ? plural(minutes / 60, 'hour') : plural(minutes, 'minute'),
    expirySet: (minutes: number) => `Tickets expire after ${messages.lanes.expiryName(minutes)}.`,
    tokens: 'Export Tokens',
    tokensAbout: 'Of all visits in History, and of those that were deleted. Each is paid for.',
    token: { issued: 'Issued', active: 'Active', spent: 'Spent', abandoned: 'Abandoned' },
  },

  history: {
    tokenUse: {
      active: 'Export Token active',
      spent: 'Export Token spent',
      abandoned: 'Export Token abandoned',
    },
    /** Outcomes that an operator explains to a visitor, in other words than the program's. */
    plainOutcomes: {
      possibly_consumed: 'Unclear: the avatar may be lost. Offer a new try.',
      saved_in_part: 'Saved in part: a file of the avatar is missing.',
      token_expired: 'The code expired before an avatar arrived.',
    } as Record<string, string>,
    exactly: 'Exactly',
    token: 'Token',
    ticket: 'Ticket',
    ticketClosing: {
      picked_up: 'picked up',
      opened_by_operator: 'opened by the operator',
      expired: 'expired',
    },
    ticketLive: 'waiting',
    count: (count: number) => plural(count, 'visit'),
    none: 'No visits yet.',
    loading: 'Reading the history…',
    columns: ['', 'Started', 'Profile', 'Outcome', 'Size', ''],
    forget: 'Forget',
    showFaces: 'Show faces',
    hideFaces: 'Hide faces',
    details: 'Details',
    detailsOf: (when: string) => `Details of the visit of ${when}`,
    visit: 'Visit',
    folder: 'Folder',
    forgetOf: (when: string) => `Forget the visit of ${when}`,
    ask: (when: string) => `Forget the visit of ${when}?`,
    askText: 'Its files, its portrait and its entry here are deleted. This cannot be undone.',
    forgotten: 'The visit was deleted.',
    refresh: 'Refresh',
    refreshed: 'Up to date.',
    more: (count: number) => `Show ${count} more`,
  },

  health: {
    again: 'Check again',
    checking: 'Checking',
    checked: (when: string) => `Checked at ${when}.`,
    part: {
      backend: 'Backend',
      credentials: 'Credentials',
      keychain: 'Keychain',
      disk: 'Disk',
      partner: 'Partner’s host',
      profiles: 'Profiles',
      settings: 'Settings',
      display: 'Display',
      web_view: 'Web view',
      clock: 'Clock',
      awake: 'Screen saver',
      graphics: 'Graphics',
      qr_code: 'QR code',
      metrics: 'Metrics',
      last_problem: 'Last problem',
    } as Record<string, string>,
    /** The words of `copresence doctor`. */
    stand: { good: 'good', doubtful: 'warning', bad: 'problem', unknown: 'unknown' },
    open: (section: string) => `Open ${section}`,
    badge: (bad: number, doubtful: number) =>
      bad > 0 ? plural(bad, 'problem') : plural(doubtful, 'warning'),
    summary: (bad: number, doubtful: number) => {
      const warnings = plural(doubtful, 'warning');
      if (bad > 0) return `${plural(bad, 'problem')}${doubtful > 0 ? `, ${warnings}` : ''}.`;
      return doubtful > 0 ? `Works, with ${warnings}.` : 'Everything works.';
    },
  },

  access: {
    change: 'Change the PIN',
    current: 'Current PIN',
    next: 'New PIN',
    repeat: 'New PIN again',
    unfit: 'The new PIN must have 4 to 32 digits',
    unfitHint: 'Choose digits, so that it can be entered by touch and gamepad too',
    differ: 'The two new PINs did not match',
    differHint: 'Enter them again',
    changed: 'The PIN was changed.',
    quit: 'Quit',
    quitAbout: 'Ends the program cleanly: every visit records its outcome, and nothing is lost.',
    quitNow: 'Quit…',
    ask: 'Quit the program?',
    askText: (live: number) =>
      live > 0
        ? `${plural(live, 'visit')} in progress will be interrupted; redeemed avatars are saved at the next start.`
        : 'The booth stays dark until the program is started again.',
    yes: 'Quit',
    quitting: 'The program is closing.',
  },

  inspector: {
    visits: 'Visits',
    line: 'Timeline',
    detail: 'Exchange',
    none: 'No visit since the program started. Start one, and its exchanges appear here.',
    pick: 'Choose a line to see its details.',
    filter: 'Filter',
    filterHint: 'URL, status, event',
    broken: 'Not met',
    calls: 'Calls',
    all: 'All',
    steps: 'Steps',
    live: 'Live',
    paused: 'Paused',
    pause: 'Pause',
    follow: 'Follow',
    waiting: (count: number) => `${count} new since`,
    shown: (shown: number, of: number) => (shown === of ? `${of} lines` : `${shown} of ${of} lines`),
    empty: 'Nothing matches the filter.',
    dropped: (count: number) => `${plural(count, 'older exchange')} dropped to save memory`,
    exchanges: (count: number) => plural(count, 'exchange'),
    brokenRules: (count: number) => `${count} not met`,
    running: 'in progress',
    columns: {
      time: 'Time',
      call: 'Call',
      what: 'Request or step',
      status: 'Status',
      took: 'Took',
      when: 'When',
    },
    noAnswer: 'none',
    repeats: (count: number) => `, ${count} times in a row; x shows each`,
    copy: 'Copy as curl',
    copied: 'Copied, with variable names in place of secrets.',
    copyNot: 'This window is not allowed to write to the clipboard',
    copyHere: 'The command is selected below: press Ctrl+C to copy it',
    verdict: (kept: number, broken: number) =>
      broken > 0
        ? `${plural(broken, 'requirement')} not met, ${kept} met.`
        : `${plural(kept, 'requirement')} met.`,
    har: 'Save HAR',
    harSaved: (path: string) => `Saved as ${path}`,
    tookWait: 'to the headers',
    tookBody: 'body',
    total: 'in total',
    rulesNone: 'No requirement applies to this exchange.',
    kept: 'met',
    broke: 'not met',
    came: 'received:',
    missing: 'missing',
    response: 'Response body',
    responseHeaders: 'Response headers',
    request: 'Request body',
    requestHeaders: 'Request headers',
    step: 'Step',
    pretty: 'Pretty',
    raw: 'Raw',
    noBody: (size: string) => `Not recorded (${size}).`,
    empties: 'Empty.',
    curl: 'As curl',
  },

  checks: {
    target: 'Target',
    ask: 'Before the first request',
    tokens: 'Export Tokens at most',
    tokensAbout: 'Each one may be charged to the account. The run stops asking when they are spent.',
    wrong: 'Invalid requests',
    wrongAbout: 'Some checks send requests that are invalid on purpose. They may count against the account.',
    phone: 'With a phone',
    phoneAbout: 'A person records an avatar when the run asks for it; the sandbox simulates this.',
    yes: 'Allowed',
    no: 'Skipped',
    all: (count: number) => `${plural(count, 'check')}.`,
    list: 'Checks',
    show: 'Show',
    nothing: 'No checks in this state.',
    plan: 'What it does',
    leftOut: 'skipped',
    cost: ({ requests, tokens, tokens_at_risk, avatars, free }: ChecksPlan) => {
      const made = `${plural(tokens, 'Export Token')} and ${plural(avatars, 'avatar')}`;
      const whose = free ? 'simulated ones, which cost nothing' : 'which the account pays for';
      const risk =
        tokens_at_risk > 0 && !free
          ? ` Up to ${tokens_at_risk} more if the backend gives tokens where it must refuse them.`
          : '';
      return `At least ${plural(requests, 'request')}; ${made}, ${whose}.${risk}`;
    },
    asksPeople: 'A person with a phone is asked to scan a code and to make an avatar.',
    movesClock: 'The sandbox’s clock is advanced, for visits in progress too.',
    disturbs: (visits: number) =>
      visits === 1
        ? '1 visit in progress: its code may expire, or its avatar arrive early.'
        : `${visits} visits in progress: their codes may expire, or their avatars arrive early.`,
    startAllTheSame: 'Start anyway',
    start: 'Start the checks',
    restart: 'Run again',
    stop: 'Stop',
    skip: 'Continue without a phone',
    stopped: 'The run was stopped; verdicts so far are kept.',
    skipped: 'Checks that need a phone are skipped.',
    running: 'Running',
    passed: 'Passed',
    failed: 'Failed',
    idle: 'Not run yet',
    broken: 'Ended early',
    requests: (count: number) => plural(count, 'request'),
    tokensUsed: (count: number) => plural(count, 'Export Token'),
    everything: 'All',
    findings: 'Findings',
    expected: 'Expected',
    came: 'Received',
    remedy: 'What to do',
    requirements: 'Requirements',
    pick: 'Choose a check to see what it found.',
    invitation: 'A person with a phone is needed',
    invitationQr: 'The code to scan with the phone',
    purpose: (purpose: string) => `For ${purpose}.`,
    report: 'Save the report',
    reportSaved: (path: string) => `HTML, JSON, JUnit and HAR are in ${path}`,
  },
};
