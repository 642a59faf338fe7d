// Starts Swagger UI on our document; `validatorUrl: null` keeps it from asking a foreign server about us.
const asked = new URLSearchParams(location.search).get("spec") ?? "";
const registered = /^\/api\/v1\/systems\/[0-9a-f-]{36}\/openapi$/.test(asked);  // of a system in the registry
SwaggerUIBundle({
  url: registered ? asked : "/docs/openapi.json",
  dom_id: "#documentation",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
