// The types that all pages share.

/** What an element is made of: dom.js flattens lists and leaves out null, undefined, false and "". */
type Children = Node | string | null | undefined | false | Children[];
