import type { Fix } from "../go-source.ts";

/**
 * SQLite uses an index on an expression only for the very same expression. FerretDB indexes `_ferretdb_sjson->"_id"`
 * but asks for `_ferretdb_sjson->'$._id'`, which means the same, so each update by _id reads the whole table.
 */
const ASK_AS_INDEXED: Fix = {
  file: "internal/backends/sqlite/metadata/metadata.go",
  before: `IDColumn = DefaultColumn + "->'$._id'"`,
  after: 'IDColumn = DefaultColumn + `->"_id"`',
  count: 1,
};

/**
 * An update command of many operations ends at the first that fails, unordered or not, and its answer blames the
 * first operation, names no count and numbers the upserted documents wrongly: a client takes what was never tried
 * for written. So each operation is run by itself, and the answer says what became of each, as MongoDB's does.
 * This also closes the reader of each operation before the next: they were kept open to the end of the command,
 * each on one of at most 100 connections, which a longer command would wait for in vain.
 */
const ANSWER_FOR_EACH_OPERATION: readonly Fix[] = [
  {
    file: "internal/handler/msg_update.go",
    before: `	// TODO https://github.com/FerretDB/FerretDB/issues/2612
	_ = params.Ordered

	matched, modified, upserted, err := h.updateDocument(connCtx, params)
	if err != nil {
		return nil, handleUpdateError(params.DB, params.Collection, "update", err)
	}

	res := must.NotFail(types.NewDocument(
		"n", matched,
	))
`,
    after: `	var matched, modified int32
	upserted := types.MakeArray(0)
	writeErrors := types.MakeArray(0)
	updates := params.Updates

	for i := range updates {
		params.Updates = updates[i : i+1]

		n, nModified, added, err := h.updateDocument(connCtx, params)
		if err == nil {
			matched += n
			modified += nModified

			if added.Len() != 0 {
				doc := must.NotFail(added.Get(0)).(*types.Document)
				doc.Set("index", int32(i))
				upserted.Append(doc)
			}

			continue
		}

		err = handleUpdateError(params.DB, params.Collection, "update", err)

		var we *handlererrors.WriteErrors
		if !errors.As(err, &we) {
			return nil, err
		}

		failed := we.Document().Get("writeErrors").(*wirebson.Array).Get(0).(*wirebson.Document)
		writeErrors.Append(must.NotFail(types.NewDocument(
			"index", int32(i),
			"code", failed.Get("code"),
			"errmsg", failed.Get("errmsg"),
		)))

		if params.Ordered {
			break
		}
	}

	res := must.NotFail(types.NewDocument(
		"n", matched,
	))

	if writeErrors.Len() != 0 {
		res.Set("writeErrors", writeErrors)
	}
`,
    count: 1,
  },
  {
    file: "internal/handler/msg_update.go",
    before: `import (
	"context"
	"fmt"

	"github.com/FerretDB/wire"
`,
    after: `import (
	"context"
	"errors"
	"fmt"

	"github.com/FerretDB/wire"
	"github.com/FerretDB/wire/wirebson"
`,
    count: 1,
  },
  {
    file: "internal/handler/common/update_params.go",
    before: 'ferretdb:"ordered,ignored"',
    after: 'ferretdb:"ordered,opt"',
    count: 1,
  },
  {
    file: "internal/handler/common/update_params.go",
    before: "	var params UpdateParams\n",
    after: "	params := UpdateParams{Ordered: true}\n",
    count: 1,
  },
];

/**
 * An insert command is carried out a hundred documents at a time. Ordered, it must end at the first that fails, and
 * not go on with the next hundred.
 */
const END_ORDERED_INSERT: Fix = {
  file: "internal/handler/msg_insert.go",
  before: "	for !done {\n",
  after: "	for !done && !(params.Ordered && len(writeErrors) > 0) {\n",
  count: 1,
};

/**
 * An update of one document reads it through one connection, still open while another writes it; each then finds
 * its cached pages outdated by the other. Closed before the write, one connection does both, twice as fast.
 */
const READ_AND_WRITE_IN_TURN: Fix = {
  file: "internal/handler/common/update.go",
  before: `		if upsert {
			if err = processFilterEqualityCondition(`,
  after: `		if !param.Multi {
			iter.Close()
		}

		if upsert {
			if err = processFilterEqualityCondition(`,
  count: 1,
};

/**
 * Only a filter of nothing but an _id is answered by the index, so a guarded update, { _id, version: { $lt } },
 * reads the whole table. The other conditions are ANDed and checked on every document read anyway, so a string or
 * ObjectId at _id may narrow what is read whatever stands beside it. (Once in Query, once in Explain.)
 */
const NARROW_BY_ID: Fix = {
  file: "internal/backends/sqlite/collection.go",
  before: "if params.Filter.Len() == 1 {",
  after: "if params.Filter.Len() >= 1 {",
  count: 2,
};

/** The embedded package offers no login, though what it wraps does: SCRAM, once a first user is set up. */
const LOG_IN: readonly Fix[] = [
  {
    file: "ferretdb/ferretdb.go",
    before: "	SQLiteURL string // For example: `file:data/`.\n",
    after: `	SQLiteURL string // For example: \`file:data/\`.

	// The first user, of the database admin. Without a name nobody has to log in.
	SetupUsername string
	SetupPassword string
`,
    count: 1,
  },
  {
    file: "ferretdb/ferretdb.go",
    before: `		SQLiteURL: config.SQLiteURL,

		TestOpts: registry.TestOpts{
`,
    after: `		SQLiteURL: config.SQLiteURL,

		SetupDatabase: setupDatabase(config),
		SetupUsername: config.SetupUsername,
		SetupPassword: password.WrapPassword(config.SetupPassword),
		SetupTimeout:  30 * time.Second,

		TestOpts: registry.TestOpts{
			EnableNewAuth:           config.SetupUsername != "",
`,
    count: 1,
  },
  {
    file: "ferretdb/ferretdb.go",
    before: `// New creates a new instance of embeddable FerretDB implementation.
`,
    after: `func setupDatabase(config *Config) string {
	if config.SetupUsername == "" {
		return ""
	}

	return "admin"
}

// New creates a new instance of embeddable FerretDB implementation.
`,
    count: 1,
  },
  {
    file: "ferretdb/ferretdb.go",
    before: `	"net/url"

	"github.com/FerretDB/FerretDB/build/version"
`,
    after: `	"net/url"
	"time"

	"github.com/FerretDB/FerretDB/build/version"
`,
    count: 1,
  },
  {
    file: "ferretdb/ferretdb.go",
    before: `	"github.com/FerretDB/FerretDB/internal/util/state"
`,
    after: `	"github.com/FerretDB/FerretDB/internal/util/password"
	"github.com/FerretDB/FerretDB/internal/util/state"
`,
    count: 1,
  },
];

export const FIXES: readonly Fix[] = [
  ASK_AS_INDEXED,
  ...ANSWER_FOR_EACH_OPERATION,
  END_ORDERED_INSERT,
  READ_AND_WRITE_IN_TURN,
  NARROW_BY_ID,
  ...LOG_IN,
];
