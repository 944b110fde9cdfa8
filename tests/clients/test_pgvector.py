"""pgvector-python registers its codecs by the names of the types, and sends and reads their binary form."""

import asyncio
import os
import unittest

import asyncpg
import psycopg
from pgvector import HalfVector, Vector
from pgvector.asyncpg import register_vector as register_asyncpg
from pgvector.psycopg import register_vector as register_psycopg

SEARCH_PATH = "memory_profile,public"
VALUES = [1.5, -2.0, 0.25]


class Psycopg(unittest.TestCase):
    def setUp(self):
        self.connection = psycopg.connect(options=f"-c search_path={SEARCH_PATH}", autocommit=True)
        self.addCleanup(self.connection.close)
        self.connection.execute("CREATE TEMPORARY TABLE item (id int, embedding vector(3), small halfvec(3))")
        register_psycopg(self.connection)

    def rows(self, binary):
        cursor = self.connection.cursor(binary=binary)
        return cursor.execute("SELECT embedding, small FROM item ORDER BY id").fetchall()

    def test_values_go_both_ways_in_text_and_in_binary(self):
        for format in ("%s", "%t", "%b"):
            self.connection.execute("TRUNCATE item")
            self.connection.execute(
                f"INSERT INTO item VALUES (1, {format}, {format}), (2, NULL, NULL)", (Vector(VALUES), HalfVector(VALUES))
            )
            for binary in (False, True):
                with self.subTest(parameters=format, binary=binary):
                    (vector, half), nulls = self.rows(binary)
                    self.assertIsInstance(vector, Vector)
                    self.assertIsInstance(half, HalfVector)
                    self.assertEqual((vector.to_list(), half.to_list()), (VALUES, VALUES))
                    self.assertEqual(nulls, (None, None))

    def test_operators_take_parameters(self):
        row = self.connection.execute(
            "SELECT %s <-> '[1.5,-2,3.25]', %s <#> '[1,1,1]', %b <+> '[0,0,0]'", (Vector(VALUES), HalfVector(VALUES), Vector(VALUES))
        ).fetchone()
        self.assertEqual(row, (3.0, 0.25, 3.75))

    def test_copy_in_binary(self):
        with self.connection.cursor().copy("COPY item FROM STDIN WITH (FORMAT binary)") as copy:
            copy.set_types(["int4", "vector", "halfvec"])
            for i in range(100):
                copy.write_row((i, Vector([i, 0, 1]), HalfVector([i, 0, 1])))
        total = self.connection.execute("SELECT count(*), sum(embedding), avg(small) FROM item").fetchone()
        self.assertEqual((total[0], total[1].to_list(), total[2].to_list()), (100, [4950.0, 0.0, 100.0], [49.5, 0.0, 1.0]))

    def test_wrong_dimensions_are_an_error_with_its_code(self):
        with self.assertRaises(psycopg.errors.DataException):
            self.connection.execute("INSERT INTO item VALUES (1, %b)", (Vector([1, 2]),))


class Asyncpg(unittest.TestCase):
    def test_values_go_both_ways(self):
        async def run():
            connection = await asyncpg.connect(host=os.environ["PGHOST"], server_settings={"search_path": SEARCH_PATH})
            try:
                await register_asyncpg(connection, schema="memory_profile")
                return await connection.fetchrow(
                    "SELECT $1::vector(3), $2::halfvec, $1 <=> $3", Vector(VALUES), HalfVector(VALUES), Vector([3, -4, 0.5])
                )
            finally:
                await connection.close()

        vector, half, distance = asyncio.run(run())
        self.assertEqual((vector.to_list(), half.to_list()), (VALUES, VALUES))
        self.assertAlmostEqual(distance, 0.0, places=6)


if __name__ == "__main__":
    unittest.main()
