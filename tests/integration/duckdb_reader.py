# SPDX-License-Identifier: Apache-2.0
"""DuckDB's library, asked for what a file holds: its own reader, by ctypes, with nothing of nightbook's."""
import ctypes
import os

import nb

LIBRARY = os.path.join(nb.HERE, "node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so")


class Result(ctypes.Structure):
    _fields_ = [("counts", ctypes.c_uint64 * 3), ("pointers", ctypes.c_void_p * 3)]


class Reader:
    def __init__(self):
        self.library = ctypes.CDLL(LIBRARY)
        for name in ("duckdb_row_count", "duckdb_column_count"):
            getattr(self.library, name).restype = ctypes.c_uint64
        self.library.duckdb_value_varchar.restype = ctypes.c_void_p
        self.library.duckdb_result_error.restype = self.library.duckdb_column_name.restype = ctypes.c_char_p
        self.library.duckdb_free.argtypes = [ctypes.c_void_p]
        database, self.connection = ctypes.c_void_p(), ctypes.c_void_p()
        assert self.library.duckdb_open(None, ctypes.byref(database)) == 0
        assert self.library.duckdb_connect(database, ctypes.byref(self.connection)) == 0
        self.ask("SET TimeZone = 'UTC'")

    def text(self, result, column, row):
        address = self.library.duckdb_value_varchar(ctypes.byref(result), ctypes.c_uint64(column), ctypes.c_uint64(row))
        if not address:
            return None
        value = ctypes.string_at(address).decode()
        self.library.duckdb_free(address)
        return value

    def ask(self, sql):
        """Rows as dicts of text; NULL is None."""
        result = Result()
        state = self.library.duckdb_query(self.connection, sql.encode(), ctypes.byref(result))
        assert state == 0, self.library.duckdb_result_error(ctypes.byref(result)).decode()
        columns = range(self.library.duckdb_column_count(ctypes.byref(result)))
        names = [self.library.duckdb_column_name(ctypes.byref(result), ctypes.c_uint64(c)).decode() for c in columns]
        rows = [{names[c]: self.text(result, c, row) for c in columns}
                for row in range(self.library.duckdb_row_count(ctypes.byref(result)))]
        self.library.duckdb_destroy_result(ctypes.byref(result))
        return rows

    def rows(self, path):
        return self.ask(f"SELECT COLUMNS(*)::VARCHAR FROM '{path}'")

    def types(self, path):
        return {row["column_name"]: row["column_type"] for row in self.ask(f"DESCRIBE FROM '{path}'")}
