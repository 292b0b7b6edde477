/* Placeholder until the room has its first file. */
typedef int pl_ledger_room;
