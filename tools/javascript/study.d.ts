// The types that several files of the study's page share.

type Attention = import("../../i2ibench/apps/study/collect/static/attention.js").Attention;
type Frames = import("../../i2ibench/apps/study/collect/static/exposure.js").Frames;
type Memory = import("../../i2ibench/apps/study/collect/static/memory.js").Memory;
type Pictures = import("../../i2ibench/apps/study/collect/static/pictures.js").Pictures;
/** The texts and numbers of a study, as page.py gives them. */
interface Study {
  id: string;
  title: string;
  question: string;
  instructions: string[];
  consent: string[];
  stored: string[];
  contact: string;
  trials: number;
  timed: boolean;
  ties: boolean;
  width: number;
  height: number;
}

interface Trial {
  left: string;
  right: string;
  /** How long the pair is shown; null until the answer. */
  seconds: number | null;
  /** In a practice trial the better side, "left" or "right". */
  better: string | null;
}

interface NumberedTrial {
  trial: Trial;
  number: number;
}

type Choice = "left" | "right" | "tie";

/** The answer to a trial, as the server stores it. */
interface Answer {
  trial: number;
  choice: Choice;
  [field: string]: unknown;
}

/** An answer on its way, with the participant who gave it. */
interface Entry {
  token: string;
  nonce: string;
  answer: Answer;
}

/** What the server says to an answer, and the page to the last one of its own file. */
interface Receipt {
  code: string;
  url: string;
}

/** A session as the page's own file keeps it in the browser. */
interface KeptSession {
  token: string;
  slot: number;
  begun: string;
  window: string;
  answers: Answer[];
}

interface ParticipantSession {
  token: string;
  nonce: string;
  consented: boolean;
  finished: boolean;
  answered: number[];
  trials: Trial[];
  code: string;
  url: string;
}

/** Where the study comes from and answers go: a server, or the page's own file. */
interface Source {
  study: Study;
  /** Let another participant begin in this browser. */
  renew(): void;
  enter(): Promise<ParticipantSession>;
  consent(): Promise<ParticipantSession>;
  /** Note that a trial is shown; return how often that happened. */
  opened(trial: number): number;
  answer(answer: Answer): Promise<unknown>;
  settled(): Promise<unknown>;
  blob(id: string): Promise<Blob>;
  withdraw(): Promise<void>;
  /** Whether the browser keeps anything after the page is closed. */
  lasting: boolean;
  /** Whether closing the page would lose answers. */
  readonly pending: boolean;
  /** The participant's number. */
  readonly number: string | null;
  /** Why nobody can take part now. */
  readonly preview?: string | false;
  /** A field on the first screen, and whether its value is accepted. */
  field?(): HTMLElement | null;
  accepts?(): boolean;
  /** What the last screen offers and says. */
  handOver?(): Children;
  ending?: string;
  deletion?: string;
}
