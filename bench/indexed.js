// Preloaded into the storage emulator, so that it finds a row as the service does, by an index.
//
// Azurite keeps rows and messages in collections of LokiJS, and looks for a row through its whole partition. The
// messages of all accounts are in one collection: at every operation on any queue, polls of empty ones included,
// it sorts each of the collection's indexes anew, and at every receive all that waits. A hundred thousand rows or
// ten thousand messages so make an operation last tens of milliseconds, which would hide how the app grows. What is
// stored and what is answered stay the same; only where it looks first, and that it keeps its indexes, are changed. A receive still looks
// at every message once, without sorting them.
"use strict";

const path = require("path");
const folder = path.dirname(process.argv[1]);
const { default: Queues } = require(path.join(folder, "queue/persistence/LokiQueueMetadataStore.js"));
const { default: Tables } = require(path.join(folder, "table/persistence/LokiTableMetadataStore.js"));

// The most that a client may ask for at once.
const MOST = 32;

function indexed(messages) {
  const { chain, findOne, remove, update } = messages;
  messages.ensureIndex("expirationTime", true);

  // LokiJS sorts all indexes anew for an array, an empty one included.
  messages.remove = (what) => [what].flat().forEach((message) => remove.call(messages, message));
  messages.update = (what) => [what].flat().forEach((message) => update.call(messages, message));

  // It begins with the first member that has an index.
  messages.findOne = ({ messageId, ...others }) =>
    findOne.call(messages, messageId ? { messageId, ...others } : others);

  messages.chain = () => {
    const rows = chain.call(messages);
    const { find } = rows;
    rows.find = (query) => {
      if (query.timeNextVisible) return chosen(rows, messages, query);
      const { expirationTime, ...others } = query;
      return find.call(rows, expirationTime ? { expirationTime, ...others } : query);
    };
    return rows;
  };
}

// The visible messages of one queue, the one that has been visible longest first, no more than can be asked for.
function chosen(rows, messages, { accountName, queueName, timeNextVisible }) {
  const { data } = messages;
  const found = [];
  const later = (one, other) => data[one].timeNextVisible > data[other].timeNextVisible;
  for (let place = 0; place < data.length; place++) {
    const message = data[place];
    if (message.timeNextVisible > timeNextVisible.$lte) continue;
    if (message.queueName !== queueName || message.accountName !== accountName) continue;
    let at = found.length;
    if (at === MOST && !later(found[at - 1], place)) continue;
    while (at > 0 && later(found[at - 1], place)) at--;
    found.splice(at, 0, place);
    if (found.length > MOST) found.pop();
  }
  rows.filteredrows = found;
  rows.filterInitialized = true;
  return rows;
}

const { init } = Queues.prototype;
Queues.prototype.init = async function () {
  await init.call(this);
  indexed(this.db.getCollection(this.MESSAGES_COLLECTION));
};

const { getEntityCollection } = Tables.prototype;
Tables.prototype.getEntityCollection = function (...table) {
  const rows = getEntityCollection.apply(this, table);
  if (!Object.hasOwn(rows, "findOne")) {
    const { findOne } = rows;
    rows.findOne = ({ RowKey, ...others }) => findOne.call(rows, { RowKey, ...others });
  }
  return rows;
};
