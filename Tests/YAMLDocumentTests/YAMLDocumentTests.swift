// YAMLDocumentTests
