// Starts Swagger UI on our document; `validatorUrl: null` keeps it from asking a foreign server about us.
SwaggerUIBundle({
  url: "/docs/openapi.json",
  dom_id: "#documentation",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
