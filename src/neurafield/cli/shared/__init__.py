"""Parts that several commands share: values, options, inputs, output, interruption, figures."""
