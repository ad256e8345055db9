/* SPDX-License-Identifier: Apache-2.0 */
/* Where the master saw the money of one expiry: the strike marked ATM, else the middle between the
 * last strike in the money and the first one out of it. */
#include "money.h"

money money_init(void)
{
    return (money){.at = NB_PRICE_UNDEF,
                   .below = INT64_MIN,
                   .above = INT64_MAX,
                   .least = INT64_MAX,
                   .most = INT64_MIN};
}

bool money_is_option(const nb__instrument *row)
{
    return (row->right == 'C' || row->right == 'P') && row->strike != NB_PRICE_UNDEF;
}

void money_learn(money *m, const nb__instrument *row)
{
    nb_price strike = row->strike;
    if (strike < m->least)
        m->least = strike;
    if (strike > m->most)
        m->most = strike;
    if (row->atm_class == '1')
        m->at = strike;
    bool is_marked = row->atm_class == '2' || row->atm_class == '3';
    bool is_below =
        (row->atm_class == '2') == (row->right == 'C'); /* a call in the money, a put out of it */
    if (is_marked && is_below && strike > m->below)
        m->below = strike;
    if (is_marked && !is_below && strike < m->above)
        m->above = strike;
}

/* a/2 + b/2 without overflow; half a unit of 1e-9 does not matter */
static nb_price middle(nb_price a, nb_price b)
{
    return a / 2 + b / 2;
}

nb_price money_marked(const money *m)
{
    if (m->at != NB_PRICE_UNDEF)
        return m->at;
    return m->below != INT64_MIN && m->above != INT64_MAX ? middle(m->below, m->above)
                                                          : NB_PRICE_UNDEF;
}

nb_price money_or_middle(const money *m)
{
    nb_price marked = money_marked(m);
    return marked != NB_PRICE_UNDEF ? marked : middle(m->least, m->most);
}

nb_price money_distance(nb_price a, nb_price b)
{
    nb_price distance;
    if (__builtin_sub_overflow(a, b, &distance) || distance == INT64_MIN)
        return INT64_MAX;
    return distance < 0 ? -distance : distance;
}
