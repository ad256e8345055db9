/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Black-76 with a smile. exp, log and the normal distribution are written out here with +, −, ×, ÷
 * and √ alone, which IEEE 754 fixes to the last bit: libm's differ between versions and processors,
 * and a seed has to give the same night everywhere. Accuracy is 1e-7 of the forward, a hundredth of
 * a tick.
 */
#include "market.h"
#include <math.h>

static double exp_of(double x)
{
    if (x < -700)
        return 0;
    double n = floor(x * 1.4426950408889634 + 0.5);
    double r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    double sum = 1;
    for (int k = 13; k > 0; k--)
        sum = 1 + sum * r / k;
    return ldexp(sum, (int)n);
}

static double log_of(double x)
{
    int exponent;
    double m = frexp(x, &exponent);
    if (m < 0.70710678118654752) {
        m *= 2;
        exponent--;
    }
    double s = (m - 1) / (m + 1), square = s * s, sum = 0;
    for (int k = 21; k > 0; k -= 2)
        sum = 1.0 / k + sum * square;
    return 2 * s * sum + exponent * 0.69314718055994530942;
}

/* Abramowitz and Stegun 26.2.17 */
static double normal_cdf(double x)
{
    double a = fabs(x), t = 1 / (1 + 0.2316419 * a);
    double tail = 0.39894228040143268 * exp_of(-a * a / 2) * t *
                  (0.319381530 +
                   t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
    return x < 0 ? tail : 1 - tail;
}

/* Volatility falls with the strike and rises at both ends, measured in standard deviations from the
 * forward. */
static double smile(double log_moneyness, double years)
{
    double at_the_money = 0.19 + 0.02 / (1 + 12 * years);
    double deviations = log_moneyness / (at_the_money * sqrt(years));
    if (deviations > 6)
        deviations = 6;
    if (deviations < -6)
        deviations = -6;
    return at_the_money * (1 - 0.06 * deviations + 0.02 * deviations * deviations);
}

double nb__sim_option_price(double forward, double strike, double years, bool is_call)
{
    double log_moneyness = log_of(strike / forward);
    double width = smile(log_moneyness, years) * sqrt(years);
    double d1 = -log_moneyness / width + width / 2, d2 = d1 - width;
    double call = forward * normal_cdf(d1) - strike * normal_cdf(d2);
    double price = is_call ? call : call - forward + strike;
    return price > 0 ? price : 0;
}
