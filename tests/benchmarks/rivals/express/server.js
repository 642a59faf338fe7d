// The workspace's items with Express 5 and pg: named (prepared) statements, a pool of ten, one transaction a write.
import express from "express";
import pg from "pg";

const COLUMNS =
  "id, title, description, category, priority, status, tags, created_at, updated_at, created_by, updated_by, metadata";
const CATEGORIES = ["documentacao", "coleta-dados", "banco-dados", "analise-dados", "gestao-riscos", "dashboard"];
const PRIORITIES = ["low", "medium", "high", "critical"];
const pool = new pg.Pool({ connectionString: process.env.RIVAL_DSN, max: 10 });
const app = express();
app.use(express.json({ limit: "1mb" }));

const itemOf = (row) => ({
  id: row.id,
  title: row.title,
  description: row.description,
  category: row.category,
  priority: row.priority,
  status: row.status,
  tags: row.tags,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  createdBy: row.created_by,
  updatedBy: row.updated_by,
  metadata: row.metadata,
});

function faultsOf(body) {
  const faults = [];
  for (const field of ["title", "description"]) {
    if (typeof body[field] !== "string" || !body[field].trim()) faults.push({ field, message: "is needed" });
  }
  if (!CATEGORIES.includes(body.category)) faults.push({ field: "category", message: "is not known" });
  if (!PRIORITIES.includes(body.priority)) faults.push({ field: "priority", message: "is not known" });
  return faults;
}

app.get("/api/items", async (_, answer) => {
  const { rows } = await pool.query({
    name: "list",
    text: `SELECT ${COLUMNS} FROM workspace.workspace_items ORDER BY created_at DESC, id DESC`,
  });
  answer.json({ success: true, count: rows.length, data: rows.map(itemOf) });
});

app.get("/api/items/:id", async (request, answer) => {
  const { rows } = await pool.query({
    name: "get",
    text: `SELECT ${COLUMNS} FROM workspace.workspace_items WHERE id = $1`,
    values: [request.params.id],
  });
  if (!rows.length) {
    return answer.status(404).json({ success: false, message: `Item ${request.params.id} not found` });
  }
  answer.json({ success: true, data: itemOf(rows[0]) });
});

app.post("/api/items", async (request, answer) => {
  const errors = faultsOf(request.body);
  if (errors.length) return answer.status(400).json({ success: false, errors });
  const { title, description, category, priority, tags = [] } = request.body;
  const { rows } = await pool.query({
    name: "create",
    text: `WITH made AS (
        INSERT INTO workspace.workspace_items (title, description, category, priority, tags, created_by)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${COLUMNS}
      ), told AS (
        INSERT INTO workspace.workspace_audit_log (item_id, action, new_values, created_by)
        SELECT id, 'created', to_jsonb(made), $6 FROM made
      ) SELECT ${COLUMNS} FROM made`,
    values: [title.trim(), description.trim(), category, priority, tags, "anonymous"],
  });
  answer.status(201).json({ success: true, message: "Item created successfully", data: itemOf(rows[0]) });
});

app.use((error, _request, answer, _next) => {
  answer.status(error.status ?? 500).json({ success: false, message: "Internal server error" });
});

app.listen(Number(process.argv[2]), "127.0.0.1");
