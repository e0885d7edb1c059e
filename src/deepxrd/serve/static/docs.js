// The documentation of the API, drawn from /api/openapi.json by Swagger UI, which comes with the package.
SwaggerUIBundle({ url: "api/openapi.json", dom_id: "#swagger", deepLinking: true, validatorUrl: null });
