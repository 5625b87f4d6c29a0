// SPDX-License-Identifier: Apache-2.0
//
// What AWS's validator has to say of a CloudFormation template, without an account and without a network:
// its rules and the schemas of all resource types come with the package.
//
//   node validate.js TEMPLATE [PARAMETER=VALUE...]
//
// Each condition takes the branch that the parameters' defaults lead to; with parameters, the template is
// judged once more with those. What is only to be known ("replacing this
// replaces the group") is not printed. Exit status: 0 nothing is wrong, 1 something is.

"use strict";

const { RegoEngine, TemplateFile } = require("@aws/cloudformation-validate");

const [path, ...parameters] = process.argv.slice(2);
if (!path) {
    console.error("usage: node validate.js TEMPLATE [PARAMETER=VALUE...]");
    process.exit(2);
}

const given = {};
for (const parameter of parameters) {
    const equals = parameter.indexOf("=");
    given[parameter.slice(0, equals)] = parameter.slice(equals + 1);
}

const engine = new RegoEngine();
const wrong = new Set();
for (const parameterOverrides of parameters.length > 0 ? [{}, given] : [{}]) {
    const report = engine.validateStandard(new TemplateFile(path), { parameterOverrides });
    if (report.status !== "OK")
        wrong.add(report.status);
    for (const { severity, ruleId, entity, propertyPath, message } of report.diagnostics)
        if (["FATAL", "ERROR", "WARN"].includes(severity))
            wrong.add(`${severity} ${ruleId}: ${entity?.logicalId ?? ""} ${propertyPath ?? ""}: ${message}`);
}
for (const line of wrong)
    console.log(`${path}: ${line}`);
process.exitCode = wrong.size > 0 ? 1 : 0;
